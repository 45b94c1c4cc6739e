"""A taken port, and a folder in use, are one sentence."""

import socket
from pathlib import Path

import pytest

from infra.local import ports
from services.up.errors import AlreadyUpError, PortInUseError
from services.up.places import FolderLock, Places


def test_a_taken_port_is_named_with_what_to_set() -> None:
    parts = ("auth", "staff", "auth_metrics", "staff_metrics", "projections", "smtp")
    names = [f"{part}_port" for part in parts]
    places = Places.model_validate({name: ports.free_port() for name in names})
    places.check_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", places.staff_port))
        taken.listen()
        with pytest.raises(PortInUseError, match=rf"{places.staff_port}.*TWOFOLD_STAFF_PORT"):
            places.check_ports()


@pytest.mark.parametrize(("port", "metrics"), [(8000, 9000), (65000, 64000)])
def test_metrics_have_a_port_beside_the_service_s(port: int, metrics: int) -> None:
    assert Places.model_validate({"auth_port": port}).auth_metrics_port == metrics
    chosen = {"auth_port": port, "auth_metrics_port": 7000}
    assert Places.model_validate(chosen).auth_metrics_port == 7000


def test_a_folder_is_one_installations_at_a_time(tmp_path: Path) -> None:
    lock = FolderLock.take(tmp_path)
    with pytest.raises(AlreadyUpError, match="already"):
        FolderLock.take(tmp_path)
    lock.release()
    FolderLock.take(tmp_path).release()
