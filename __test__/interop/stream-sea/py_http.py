"""The HTTP side of the real Python client (stream-sea-client 0.7.0), on a Python where its WebSocket side cannot run.
usage: python py_http.py HOST PORT ID SECRET STREAM N      prints what the calls gave as a JSON line

publish() of 0.7.0 refers to a name that does not exist; this program supplies that name as a module global.
"""
import json, sys, time
import stream_sea_client as ss
from stream_sea_client import api

host, port, cid, secret, stream, count = sys.argv[1:7]
remote = dict(remote_host=host, remote_port=port, secure=False, client_id=cid, client_secret=secret)
api.api_base_url = f'http://{host}:{port}/api/v1'
fields = [{'name': 'seq', 'type': 'integer'}, {'name': 'note', 'type': 'string'}]
told = {}
told['define'] = ss.define_stream(**remote, stream=stream, schema=ss.SchemaDefinition(stream, 3, fields)).status_code
told['downgrade'] = ss.define_stream(**remote, stream=stream, schema=ss.SchemaDefinition(stream, 2, fields)).json()
told['other fields'] = ss.define_stream(**remote, stream=stream, schema=ss.SchemaDefinition(stream, 3, fields[:1])).status_code
schema = ss.describe_stream(**remote, stream=stream)
told['describe'] = [schema.name, schema.version, schema.fields]
told['nothing'] = ss.describe_stream(**remote, stream=stream + '_none')
told['versions'] = ss.get_schema_versions_vector(**remote, streams=[stream + '_none', stream])
for seq in range(int(count)):
    ss.publish(**remote, stream=stream, payload={'seq': seq, 'note': f'n-{seq} é☃'})
# Its four threads say nothing when they are done; whoever reads the stream ends this program.
print(json.dumps(told), flush=True)
sys.stdin.read()
