"""Where `twofold up` keeps things: a taken port, a folder in use, settings that are followed."""

import os
import socket
from pathlib import Path

import pytest

from infra.local import ports
from services.up.errors import AlreadyUpError, ForeignSettingsError, PortInUseError
from services.up.places import FolderLock, Places, recall, remember


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


class TestSettingsOfAFolder:
    def test_are_found_again(self, tmp_path: Path) -> None:
        told = {"TWOFOLD_MODE": "development", "TWOFOLD_KAFKA": "127.0.0.1:9092"}
        remember(Places(folder=tmp_path), told)
        assert recall(tmp_path) == told
        assert recall(tmp_path / "elsewhere") == {}

    def test_set_nothing_but_settings(self, tmp_path: Path) -> None:
        """OPENSSL_CONF names programs that are loaded."""
        told = {"OPENSSL_CONF": "evil.cnf", "LD_PRELOAD": "evil.so", "TWOFOLD_MODE": "development"}
        remember(Places(folder=tmp_path), told)
        assert recall(tmp_path) == {"TWOFOLD_MODE": "development"}

    def test_that_others_can_write_are_not_followed(self, tmp_path: Path) -> None:
        remember(Places(folder=tmp_path), {"TWOFOLD_MODE": "development"})
        (tmp_path / "settings.json").chmod(0o662)
        with pytest.raises(ForeignSettingsError, match="isn't followed"):
            recall(tmp_path)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_that_are_anothers_are_not_followed(self, tmp_path: Path) -> None:
        remember(Places(folder=tmp_path), {"TWOFOLD_MODE": "development"})
        os.chown(tmp_path / "settings.json", 12345, 12345)
        with pytest.raises(ForeignSettingsError, match="isn't followed"):
            recall(tmp_path)
