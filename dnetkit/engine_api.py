"""A client of the Docker SDK whose connections are made by a function of ours, not to a socket on this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import docker
import requests
from docker.transport.basehttpadapter import BaseHTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from dnetkit.errors import DnetkitError

__all__ = ["client_over"]

Connect = Callable[[], socket.socket]


class _Connection(HTTPConnection):
    def __init__(self, connect: Connect, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._join = connect

    def connect(self) -> None:
        self.sock = self._join()
        if isinstance(self.timeout, (int, float)):
            self.sock.settimeout(self.timeout)


class _Pool(HTTPConnectionPool):
    def __init__(self, connect: Connect, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout, maxsize=5)
        self._join = connect
        self._seconds = timeout

    def _new_conn(self) -> _Connection:
        return _Connection(self._join, self._seconds)


class _Adapter(BaseHTTPAdapter):
    def __init__(self, connect: Connect, timeout: float) -> None:
        self._pool = _Pool(connect, timeout)
        super().__init__()

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> _Pool:
        return self._pool

    def get_connection(self, *_: Any, **__: Any) -> _Pool:
        return self._pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        del proxies
        return request.path_url

    def close(self) -> None:
        self._pool.close()
        super().close()


class _Api(docker.APIClient):
    def __init__(self, connect: Connect, timeout: float) -> None:
        self._adapter = _Adapter(connect, timeout)
        super().__init__(base_url="tcp://localhost:1", version="auto", timeout=int(timeout))

    def get_adapter(self, url: str) -> Any:
        del url
        return self._adapter


def client_over(connect: Connect, timeout: float = 60.0) -> docker.DockerClient:
    """A DockerClient that calls `connect` for each connection it needs; the version of the API is negotiated.

    Raises DockerException, or what `connect` raises.
    """
    client = docker.DockerClient.__new__(docker.DockerClient)  # its __init__ takes nothing but an address
    try:
        client.api = _Api(connect, timeout)
    except docker.errors.DockerException as error:
        if isinstance(error.__cause__, DnetkitError):  # ours says more than the SDK's wrapping of it
            raise error.__cause__ from None
        raise
    return client
