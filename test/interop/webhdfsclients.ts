// Programs for WebHDFS clients in Python: each writes, reads, lists, renames and removes files of its own, and asserts what it finds.

/** By the name of the package. Arguments: the gateway's URL, and an access key of `ada`: its id and its secret. */
export const pythonClients: Readonly<Record<string, string>> = {
  fsspec: `
import sys, os, fsspec
host, port = sys.argv[1].split('//')[1].split(':')
data = os.urandom(7 * 1024 * 1024 + 13)
fs = fsspec.filesystem('webhdfs', host=host, port=int(port), user='ada')
fs.makedirs('/fs/a b+c%;\\u00fc', exist_ok=True)
big = '/fs/a b+c%;\\u00fc/big'
with fs.open(big, 'wb') as f: f.write(data)
with fs.open(big, 'rb') as f:
    assert f.read() == data
    f.seek(5)
    assert f.read(9) == data[5:14]
assert fs.info(big)['size'] == len(data)
fs.pipe('/fs/x', b'hello')
assert fs.cat('/fs/x') == b'hello'
fs.mv('/fs/x', '/fs/y')
assert fs.exists('/fs/y') and not fs.exists('/fs/x')
assert fs.content_summary('/fs')['fileCount'] == 2
assert fs.ukey('/fs/y')['algorithm'] == 'MD5-of-0MD5-of-512CRC32C'
assert fs.home_directory() == '/user/ada'
fs.chmod('/fs/y', '600')
try:
    fs.info('/fs/none')
    raise Exception('found what is not there')
except FileNotFoundError: pass
assert fs.find('/fs') == [big, '/fs/y']
with fs.open('/fs/tx', 'wb', autocommit=False, tempdir='/fs') as f: f.write(b'tx')
fs.rm('/fs', recursive=True)
assert not fs.exists('/fs')
own = fsspec.filesystem('webhdfs', host=host, port=int(port), user=sys.argv[2], password=sys.argv[3])
own.pipe('/with a key', data)
assert own.info('/with a key')['owner'] == 'ada' and own.cat('/with a key') == data
own.rm('/with a key')
`,
  hdfs: `
import sys, os, tempfile
from hdfs import InsecureClient, HdfsError
data = os.urandom(7 * 1024 * 1024 + 13)
c = InsecureClient(sys.argv[1], user='ada')
c.makedirs('/h/\\u00fc x')
c.write('/h/\\u00fc x/f', data=data)
with c.read('/h/\\u00fc x/f') as r: assert r.read() == data
with c.read('/h/\\u00fc x/f', offset=3, length=4) as r: assert r.read() == data[3:7]
c.write('/h/t', data='one\\n', encoding='utf-8')
c.write('/h/t', data='two\\n', encoding='utf-8', append=True)
with c.read('/h/t', encoding='utf-8', delimiter='\\n') as r: assert list(r) == ['one', 'two', '']
assert sorted(c.list('/h')) == ['t', '\\u00fc x']
assert c.status('/h/none', strict=False) is None
c.rename('/h/t', '/h/t2')
c.set_permission('/h/t2', '600')
c.set_times('/h/t2', modification_time=1000)
c.allow_snapshot('/h')
assert c.create_snapshot('/h', 's') == '/h/.snapshot/s'
c.delete_snapshot('/h', 's')
assert list(c.walk('/h')) == [('/h', ['\\u00fc x'], ['t2']), ('/h/\\u00fc x', [], ['f'])]
with tempfile.TemporaryDirectory() as dir:
    with open(dir + '/up', 'wb') as f: f.write(data)
    c.upload('/h/up', dir + '/up', n_threads=1)
    c.download('/h/up', dir + '/down')
    with open(dir + '/down', 'rb') as f: assert f.read() == data
try:
    c.status('/h/none')
    raise Exception('found what is not there')
except HdfsError as e: assert e.exception == 'FileNotFoundException'
assert c.delete('/h', recursive=True)
`,
  pywebhdfs: `
import sys, os
from pywebhdfs.webhdfs import PyWebHdfsClient
host, port = sys.argv[1].split('//')[1].split(':')
data = os.urandom(1024 * 1024 + 13)
c = PyWebHdfsClient(host=host, port=port, user_name='ada')
c.make_dir('/p/q')
c.create_file('/p/q/f', data)
assert c.read_file('/p/q/f') == data
c.append_file('/p/q/f', b'more')
assert c.read_file('/p/q/f', offset=len(data)) == b'more'
assert c.get_file_dir_status('/p/q/f')['FileStatus']['length'] == len(data) + 4
assert c.list_dir('/p')['FileStatuses']['FileStatus'][0]['pathSuffix'] == 'q'
c.rename_file_dir('/p/q/f', '/p/q/g')
assert c.exists_file_dir('/p/q/g')
c.delete_file_dir('/p', recursive=True)
`,
}
