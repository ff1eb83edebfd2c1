"""The provider Zhipu (BigModel, Z.ai): endpoints, SDK session, rules, sandbox, samples."""

from harness.providers.provider import Provider, call_modes
from harness.providers.zhipu import session
from harness.providers.zhipu.endpoints import ENDPOINTS, FURTHER, TABLE

PROVIDER = Provider(
    package=__name__,
    name="zhipuai",
    about="Zhipu BigModel: GLM, CogView",
    distribution=session.DISTRIBUTION,
    key_variable="ZHIPUAI_API_KEY",
    address_variable="ZHIPUAI_BASE_URL",
    address="https://open.bigmodel.cn/api/paas/v4",
    can=call_modes(
        **{"chat": "sync stream async", "image": "sync", "video": "async", "embedding": "sync"},
        **{"rerank": "sync", "speech": "sync", "transcription": "sync stream"},
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
