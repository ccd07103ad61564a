"""httpserver_sync_receive and httpserver_async: each request starts a session with one buffer (spec 7.3)."""

from server.flow.http import options
from server.flow.http.services import HttpService, Services
from server.flow.http.tls import tls_of
from server.flow.run.source import SourceNode
from server.flow.status import FlowError
from server.flow.unitapi import Configuration, DataContext, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.flowunit import Returned


class _HttpReceive(FlowUnit):
    quick = True
    answers_at_once: bool

    def open(self, config: Configuration) -> Returned:
        try:
            service = self._service(config)
        except FlowError as error:
            return Status(UnitStatusCode(int(error.code)), " -> ".join(error.messages))
        assert self._host is not None
        services = self._host.services
        assert isinstance(services, Services)
        services.serve(service)
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        requests, out = data_ctx.external(), data_ctx.output("out_request_info")
        assert requests is not None
        assert out is not None
        for request in requests:
            out.push_back(request)
        return UnitStatusCode.STATUS_SUCCESS

    def _service(self, config: Configuration) -> HttpService:
        assert isinstance(self._host, SourceNode)
        text = options.endpoint_text(config)
        endpoint = options.parse_endpoint(text)
        return HttpService(
            node=self._host,
            endpoint=endpoint,
            endpoint_text=text,
            max_requests=options.positive(config, "max_requests", default=options.MAX_REQUESTS),
            time_out_ms=options.positive(config, "time_out_ms", "time_out", default=options.TIME_OUT_MS),
            keepalive_seconds=options.positive(config, "keepalive_timeout_sec", default=options.KEEPALIVE_SECONDS),
            tls=tls_of(config, text, endpoint.tls),
            answers_at_once=self.answers_at_once,
        )


class HttpServerSyncReceive(_HttpReceive):
    """The client waits for what reaches httpserver_sync_reply."""

    answers_at_once = False


class HttpServerAsync(_HttpReceive):
    """The client gets 202 as soon as its request is queued."""

    answers_at_once = True
