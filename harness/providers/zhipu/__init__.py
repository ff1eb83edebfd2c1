"""The provider Zhipu (BigModel, Z.ai): endpoints, SDK session, rules, sandbox, samples."""

from harness.providers.provider import Provider
from harness.providers.zhipu import session
from harness.providers.zhipu.endpoints import ENDPOINTS, FURTHER, TABLE
from harness.types import CallKind, Mode

PROVIDER = Provider(
    package=__name__,
    name="zhipuai",
    about="Zhipu BigModel: GLM, CogView",
    distribution=session.DISTRIBUTION,
    key_variable="ZHIPUAI_API_KEY",
    address_variable="ZHIPUAI_BASE_URL",
    address="https://open.bigmodel.cn/api/paas/v4",
    can=frozenset(
        {
            (CallKind.CHAT, Mode.SYNC),
            (CallKind.CHAT, Mode.STREAM),
            (CallKind.CHAT, Mode.ASYNC),
            (CallKind.IMAGE, Mode.SYNC),
            (CallKind.VIDEO, Mode.ASYNC),
            (CallKind.EMBEDDING, Mode.SYNC),
            (CallKind.RERANK, Mode.SYNC),
            (CallKind.SPEECH, Mode.SYNC),
            (CallKind.TRANSCRIPTION, Mode.SYNC),
        }
    ),
    open=session.ZhipuSession,
    sdks=session.SDKS,
    hears_files=True,
    endpoints=ENDPOINTS,
    further=FURTHER,
    headers=frozenset(TABLE.words("headers")),
    parsers=session.PARSERS,
    secrets=session.secrets,
    reasoning=session.reasoning,
)
