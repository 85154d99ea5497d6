"""Generates the messages and stubs of `ndauth.v1` from the contract. Needs `grpcio-tools`.

python clients/python/generate.py [FOLDER]    # default: this package's `src`
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"


def generate(folder: Path) -> int:
    """Writes `ndauth/v1` below a folder. Returns the exit code of the compiler."""
    folder.mkdir(parents=True, exist_ok=True)
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    # `google.api` comes with `googleapis-common-protos`.
    files = sorted(str(file) for file in (PROTO / "ndauth/v1").glob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *outputs, *files]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(generate(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "src"))
