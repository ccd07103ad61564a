"""The utility units in graphs as users write them: options arrive through DOT."""

import asyncio
import json

import httpx

from server.flow.graph import compile_graph
from server.flow.status import StatusCode
from tests.flow.http.support import free_port, running

SOURCE = """
[graph]
format = "graphviz"
graphconf = '''digraph source {
  generate[type=flowunit, flowunit=data_source_generator, device=cpu,
    source_type=url, url="rtsp://h/1", url_type=file]
  parse[type=flowunit, flowunit=data_source_parser, device=cpu, url_file_retry_count_limit=3]
  send[type=flowunit, flowunit=output_broker, device=cpu]
  generate:out_data -> parse:in_data
  parse:out_video_url -> send:in_output_info
}'''
"""


async def test_generator_parser_and_broker_end_by_themselves() -> None:
    async with running(compile_graph(SOURCE, "toml")) as flow:
        end = await asyncio.wait_for(flow.ended(), 20)
        counted = {node.node: node for node in flow.counters()}
    # a session without brokers is an error of the broker's data_pre, which does not end the flow
    assert end.code is StatusCode.SUCCESS
    assert [counted[name].inputs[0].buffers for name in ("parse", "send")] == [1, 1]


async def test_http_through_mapping_and_base64() -> None:
    port = free_port()
    dot = f"""digraph http {{
      rx[flowunit=httpserver_sync_receive, endpoint="http://127.0.0.1:{port}/x"]
      map[flowunit=buff_meta_mapping, src_meta=method, dest_meta=status_word, rules="POST=posted, PUT=put"]
      decode[flowunit=base64_decoder, data_format=json, key=image]
      tx[flowunit=httpserver_sync_reply, content_type=png]
      rx:out_request_info -> map:in_data
      map:out_data -> decode:in_data
      decode:out_data -> tx:in_reply_info
    }}"""
    source = json.dumps({"graph": {"format": "graphviz", "graphconf": dot}})
    async with running(compile_graph(source, "json")), httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}/x"
        good, bad = await asyncio.gather(client.post(url, json={"image": "aGVsbG8="}), client.post(url, json={}))
    assert (good.status_code, good.content, good.headers["content-type"]) == (200, b"hello", "image/png")
    assert bad.status_code == 500
    assert bad.json()["error_code"] == "base64_decoder.ProcessError"
