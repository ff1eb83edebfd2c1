"""Names of DashScope's SDK that its first versions lack."""

from __future__ import annotations

from typing import Any

import dashscope.aigc.image_synthesis

try:
    from dashscope.api_entities.http_request import close_shared_sync_session
except ImportError:  # before 1.25.10, no session is shared

    def close_shared_sync_session() -> None:
        """Do nothing."""


try:
    from dashscope.api_entities.aio_session import close_shared_aio_session
except ImportError:

    async def close_shared_aio_session() -> None:
        """Do nothing."""


AioImageSynthesis: Any = getattr(dashscope.aigc.image_synthesis, "AioImageSynthesis", None)

__all__ = ["AioImageSynthesis", "close_shared_aio_session", "close_shared_sync_session"]
