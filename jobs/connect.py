"""The one way to reach Redis: every client here has timeouts, so that no caller ever waits for ever."""

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from jobs.errors import RedisNotConfigured
from jobs.settings import Settings

SOCKET = {"socket_timeout": 15, "health_check_interval": 25}
TCP = {"socket_connect_timeout": 5, "socket_keepalive": True}


def redis_url(settings: Settings) -> str:
    """The configured address: `redis://`, `rediss://` or `unix://`. Raises RedisNotConfigured."""
    if settings.redis_url is None:
        raise RedisNotConfigured("set DIFFAM_REDIS_URL, or start the embedded stack with `diffam up`")
    return settings.redis_url


def connect(settings: Settings) -> Redis:
    """A thread-safe client that speaks bytes and retries a broken connection twice, within about a second."""
    url = redis_url(settings)
    options = SOCKET if url.startswith("unix://") else SOCKET | TCP
    retry = Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=2)
    return Redis.from_url(url, retry=retry, **options)


def broker_url(settings: Settings) -> str:
    """The same address in Kombu's spelling, which calls a Unix socket `redis+socket://`."""
    url = redis_url(settings)
    return "redis+socket://" + url.removeprefix("unix://") if url.startswith("unix://") else url
