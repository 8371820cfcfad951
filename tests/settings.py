"""Settings of the test run: a data folder and a database of its own, cheap password hashing, limits out of the way."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_folder = Path(tempfile.mkdtemp(prefix="perfanalysis-test-"))
_folder.chmod(0o711)  # as root, the database runs as another user
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ.update(
    DATA_DIR=str(_folder),
    SECRET_KEY="only-for-tests-" + "x" * 50,
    HTTPS="false",
    REQUEST_RATE="100000/m",
    UPLOAD_RATE="100000/m",
    SIGN_IN_RATE="100000/m",
    LOG_LEVEL="ERROR",
)

from core.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "tenant",
        "KEY_FUNCTION": "django_tenants.cache.make_key",
    },
    "shared": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "shared"},
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
