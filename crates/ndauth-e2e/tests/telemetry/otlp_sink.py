"""A collector of traces that parses what it receives (OTLP over gRPC), and prints one JSON object for each request.

It first prints the port that it listens on.
"""

import json
import sys
from concurrent import futures

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

PATH = "opentelemetry.proto.collector.trace.v1.TraceService"


def value(any_value):
    return getattr(any_value, any_value.WhichOneof("value"))


def attributes(pairs):
    return {pair.key: value(pair.value) for pair in pairs}


def export(raw, context):
    request = service.ExportTraceServiceRequest.FromString(raw)
    spans = []
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                spans.append(
                    {
                        "resource": attributes(of_resource.resource.attributes),
                        "trace": span.trace_id.hex(),
                        "span": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "state": span.trace_state,
                        "name": span.name,
                        "kind": span.kind,
                        "attributes": attributes(span.attributes),
                        "events": len(span.events),
                        "links": len(span.links),
                        "status": span.status.code,
                        "lasts": span.end_time_unix_nano - span.start_time_unix_nano,
                    }
                )
    print(json.dumps({"raw": raw.hex(), "spans": spans}), flush=True)
    return service.ExportTraceServiceResponse()


def main():
    handler = grpc.unary_unary_rpc_method_handler(
        export, response_serializer=service.ExportTraceServiceResponse.SerializeToString
    )
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(PATH, {"Export": handler}),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    # It ends with the test, which closes standard input.
    sys.stdin.read()
    server.stop(None)


main()
