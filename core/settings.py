"""All settings, from the environment; `docs/settings.md` is generated from VARIABLES and checked by a test."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

import environ

from core import embedded
from core.environment import (
    CACHE,
    DATABASE,
    LEVEL,
    MAIL,
    NETWORKS,
    POSITIVE,
    RATE,
    SWITCH,
    TEXT,
    TEXTS,
    WHOLE,
    Variable,
    read,
)

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"


VARIABLES = (
    Variable("DEBUG", SWITCH, False, "Show tracebacks in the browser. Never on in production."),
    Variable("SECRET_KEY", TEXT, "", "Signs sessions and links. Empty: made once and kept in DATA_DIR, mode 0600."),
    Variable(
        "SECRET_KEY_FALLBACKS", TEXTS, [], "Earlier SECRET_KEYs, comma-separated, which still open what they sealed."
    ),
    Variable("DATA_DIR", TEXT, ".data", "Folder for the embedded database, the cache and the made secret key."),
    Variable(
        "DATABASE_URL", DATABASE, "", "PostgreSQL ≥ 15 as `postgres://user:password@host:5432/name`. Empty: embedded."
    ),
    Variable(
        "CACHE_URL", CACHE, "", "`redis://host:6379/0`, needed when there is more than one machine. Empty: on disk."
    ),
    Variable("HTTPS", SWITCH, True, "The portal is reached over TLS only: secure cookies, HSTS, redirect."),
    Variable("PROXY_TLS_HEADER", SWITCH, False, "A trusted proxy ends TLS and sets `X-Forwarded-Proto`."),
    Variable("TRUSTED_PROXIES", NETWORKS, [], "Networks (CIDR, comma-separated) whose `X-Forwarded-For` is believed."),
    Variable("REQUEST_RATE", RATE, "100/m", "API requests an address may make, uploads aside; `N/s`, `N/m`, `N/h`."),
    Variable("UPLOAD_RATE", RATE, "10/m", "Uploads a machine may make."),
    Variable("SIGN_IN_RATE", RATE, "10/m", "Sign-in attempts for one address, and for one account."),
    Variable("SECOND_FACTOR_RATE", RATE, "20/h", "Codes of a second factor that may be tried for one account."),
    Variable("UPLOAD_MAX_MB", POSITIVE, 64, "Largest upload, unpacked, in MB."),
    Variable("BULK_MAX_MB", POSITIVE, 1024, "Largest file of many machines that an Admin uploads, unpacked, in MB."),
    Variable("UPLOAD_FUTURE_SECONDS", WHOLE, 600, "How far ahead of the portal's clock a timestamp may be."),
    Variable("KEY_OVERLAP_HOURS", WHOLE, 24, "How long the old key of a machine works after a rotation."),
    Variable("INVITATION_HOURS", POSITIVE, 72, "How long an invitation works."),
    Variable("RESET_HOURS", POSITIVE, 4, "How long a link to a new password works."),
    Variable(
        "EMAIL_URL", MAIL, "", "Sends mail: `smtp+tls://user:password@host:587`. Empty: links are shown, not sent."
    ),
    Variable("EMAIL_FROM", TEXT, "portal@localhost", "The sender of mail."),
    Variable(
        "PUBLIC_PORT",
        WHOLE,
        0,
        "Port that people reach the portal at, for links in messages. 0: the one of https, or of http without HTTPS.",
    ),
    Variable(
        "OUTGOING_ALLOW",
        NETWORKS,
        [],
        "Networks that are not public (CIDR, comma-separated) which webhooks and other notifications, and sign-in "
        "providers, may be in; over plain http, too.",
    ),
    Variable(
        "OUTGOING_CA_FILE",
        TEXT,
        "",
        "A file of certificates (PEM) that receivers of webhooks may have theirs from, too.",
    ),
    Variable(
        "REPORT_MACHINE_DAYS",
        POSITIVE,
        3200,
        "Largest report of the portal, machines × days. 700 take 0.5 GB of memory while it is made, 3,200 take 1.4 GB.",
    ),
    Variable("LATE_SECONDS", WHOLE, 600, "A machine with no sample for this long is late."),
    Variable("SILENT_SECONDS", WHOLE, 3600, "A machine with no sample for this long is silent."),
    Variable("ALERT_MESSAGES_PER_HOUR", WHOLE, 20, "Messages of alerts for each customer; beyond, one summary."),
    Variable("LOG_LEVEL", LEVEL, "INFO", "DEBUG, INFO, WARNING or ERROR."),
)

_values = {variable.name: read(variable, os.environ) for variable in VARIABLES}


def _secret_key(data_dir: Path) -> str:
    """The key kept in DATA_DIR, made at the first start; of two processes that make it at once both get the first."""
    path = data_dir / "secret_key"
    if not path.exists():
        data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=data_dir) as made, contextlib.suppress(FileExistsError):
            made.write(secrets.token_urlsafe(64))
            made.flush()
            os.link(made.name, path)
    return path.read_text().strip()


DATA_DIR = (BASE_DIR / _values["DATA_DIR"]).resolve()
DATABASE_URL: str = _values["DATABASE_URL"]
DEBUG: bool = _values["DEBUG"]
HTTPS: bool = _values["HTTPS"]
SECRET_KEY = _values["SECRET_KEY"] or _secret_key(DATA_DIR)

SECRET_KEY_FALLBACKS: list[str] = _values["SECRET_KEY_FALLBACKS"]
PUBLIC_PORT: int = _values["PUBLIC_PORT"]
OUTGOING_ALLOW: list[str] = _values["OUTGOING_ALLOW"]
OUTGOING_CA_FILE: str = _values["OUTGOING_CA_FILE"]

REQUEST_RATE: str = _values["REQUEST_RATE"]
UPLOAD_RATE: str = _values["UPLOAD_RATE"]
SIGN_IN_RATE: str = _values["SIGN_IN_RATE"]
SECOND_FACTOR_RATE: str = _values["SECOND_FACTOR_RATE"]
UPLOAD_MAX_BYTES: int = _values["UPLOAD_MAX_MB"] * 1_048_576
BULK_MAX_BYTES: int = _values["BULK_MAX_MB"] * 1_048_576
UPLOAD_FUTURE_SECONDS: int = _values["UPLOAD_FUTURE_SECONDS"]
KEY_OVERLAP_HOURS: int = _values["KEY_OVERLAP_HOURS"]
INVITATION_HOURS: int = _values["INVITATION_HOURS"]
RESET_HOURS: int = _values["RESET_HOURS"]
REPORT_MACHINE_DAYS: int = _values["REPORT_MACHINE_DAYS"]
LATE_SECONDS: int = _values["LATE_SECONDS"]
SILENT_SECONDS: int = _values["SILENT_SECONDS"]
ALERT_MESSAGES_PER_HOUR: int = _values["ALERT_MESSAGES_PER_HOUR"]
TRUSTED_PROXIES: list[str] = _values["TRUSTED_PROXIES"]

# Which hosts are served is decided by the table of domains (partners.middleware): an unknown one is a 404.
ALLOWED_HOSTS = ["*"]

SHARED_APPS = [
    "django_tenants",
    "partners",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "core",
    "api",
    "portal",
]
# contenttypes is the one app in both lists: with any other, a missing schema would fall open to `public` (trap 24).
TENANT_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",  # for its checks at deployment; the sessions themselves are accounts.sessions
    "django.contrib.messages",
    "allauth.account",  # what allauth.mfa stands on; its own tables stay empty
    "allauth.mfa",
    "accounts",
    "collectors",
    "analysis",
    "alerts",
    "alerts.sending",
    "reports.jobs",
]
INSTALLED_APPS = [*SHARED_APPS, *(app for app in TENANT_APPS if app not in SHARED_APPS)]

TENANT_MODEL = "partners.Partner"
TENANT_DOMAIN_MODEL = "partners.Domain"
TENANT_LIMIT_SET_CALLS = True
GET_EXECUTOR_FUNCTION = "partners.migrating.get_executor"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASES = {
    "default": {
        **environ.Env.db_url_config(DATABASE_URL or embedded.locate(DATA_DIR).url()),
        "ENGINE": "core.postgresql",
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]


def _cache(name: str, **options: Any) -> dict[str, Any]:
    if _values["CACHE_URL"]:
        away = {"socket_connect_timeout": 1, "socket_timeout": 1}
        backend = "django.core.cache.backends.redis.RedisCache"
        return {"BACKEND": backend, "LOCATION": _values["CACHE_URL"], "OPTIONS": away, **options}
    return {"BACKEND": "core.cache.DiskCache", "LOCATION": str(DATA_DIR / "cache" / name), **options}


# Two aliases (trap 25): what belongs to a tenant has the tenant in its key; limits and host lookups must not.
CACHES = {
    "default": _cache("tenant", KEY_FUNCTION="django_tenants.cache.make_key", KEY_PREFIX=f"tenant-{VERSION}"),
    "shared": _cache("shared", KEY_PREFIX=f"shared-{VERSION}"),
}
RATELIMIT_USE_CACHE = "shared"
SILENCED_SYSTEM_CHECKS = [
    "django_ratelimit.E003",  # diskcache is shared between processes and atomic, which the check cannot know
    "django_ratelimit.W001",
]

MIDDLEWARE = [
    "core.middleware.SecurityHeadersMiddleware",
    "core.middleware.ErrorBodyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "partners.middleware.HostMiddleware",
    "api.middleware.MachineUploadMiddleware",  # above it: what every answer has; below: what people need
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",  # gives accounts.mfa the request
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "core.urls"
WSGI_APPLICATION = "core.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.page",
            ]
        },
    }
]

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "portal.assets.ChartLibraryFinder",
]
WHITENOISE_USE_FINDERS = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "core.static_files.ModuleStorage"},
}
MEDIA_ROOT = DATA_DIR / "media"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "fleet"
LOGOUT_REDIRECT_URL = "sign-in"

_host_only = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME = f"{_host_only}sessionid"
CSRF_COOKIE_NAME = f"{_host_only}csrftoken"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*"]
MFA_ADAPTER = "accounts.mfa.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # 30 seconds early or late
MFA_RECOVERY_CODE_DIGITS = 10
# So that a passkey alone is two factors: the device, and PIN, finger or face.
MFA_WEBAUTHN_USER_VERIFICATION = "required"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health$", r"^api/v1/status$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _values["PROXY_TLS_HEADER"] else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "core.errors.csrf_failure"

DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100
DATA_UPLOAD_MAX_NUMBER_FILES = 20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

SENDS_MAIL = bool(_values["EMAIL_URL"])
if SENDS_MAIL:
    globals().update(environ.Env.email_url_config(_values["EMAIL_URL"]))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL: str = _values["EMAIL_FROM"]

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

REST_FRAMEWORK = {
    # A view without its own declaration answers nobody (trap 30).
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["api.nobody.Nobody"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "api.errors.answer",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "PerfAnalysis",
    "DESCRIPTION": "Upload samples of Linux servers, and read them back.",
    "VERSION": VERSION,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "AlertKindEnum": "alerts.models.Kind",
        "AlertStateEnum": "alerts.models.State",
        "ChannelKindEnum": "alerts.sending.models.ChannelKind",
        "MessageKindEnum": "alerts.models.MessageKind",
        "SeverityEnum": "alerts.models.Severity",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "bare": {"format": "%(message)s"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "plain"},
        "audit": {"class": "logging.StreamHandler", "formatter": "bare"},
    },
    "root": {"handlers": ["console"], "level": _values["LOG_LEVEL"]},
    "loggers": {"perfanalysis.audit": {"handlers": ["audit"], "level": "INFO", "propagate": False}},
}
