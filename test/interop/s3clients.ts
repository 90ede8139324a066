// Programs for clients of S3, in the language of each. They take BUCKET, TREE (files with odd names, and `big.bin`), OUT (an empty
// directory) and the address and key from the environment, assert what they find, and leave no bucket.

/** A program in Python. */
export interface S3Client {
  readonly script: string
  /** Environment that has its package. */
  readonly in: 'main' | 's3fs' | 'tables'
  /** Default: the client's name. */
  readonly package?: string
  /** Another package whose version is told. */
  readonly also?: string
}

/** A program for bash; `version` prints the version, or fails. */
export interface ShellClient { readonly script: string; readonly version: string }

const shellPrelude = `
fail() { echo "FAILED: $*" >&2; exit 1; }
same() { [ "$1" = "$2" ] || fail "$3: '$1' is not '$2'"; }
count=$(find "$TREE" -type f | wc -l)
`

/** Programs for bash by the name of the command; \`version\` prints the version, or fails. */
export const shellClients: Readonly<Record<string, ShellClient>> = {
  aws: {
    version: 'aws --version | sed "s#aws-cli/\\([0-9.]*\\).*#\\1#"',
    script: `${shellPrelude}
aws s3 mb "s3://$BUCKET"
aws s3 sync --only-show-errors "$TREE" "s3://$BUCKET/t"
same "$(aws s3 sync "$TREE" "s3://$BUCKET/t")" "" "the second sync"
aws s3 sync --only-show-errors "s3://$BUCKET/t" "$OUT/t"
diff -r "$TREE" "$OUT/t"
same "$(aws s3 ls --recursive --summarize "s3://$BUCKET/" | sed -n 's/Total Objects: *//p')" "$count" objects
same "$(aws s3api list-objects-v2 --bucket "$BUCKET" --prefix t/ --delimiter / --page-size 3 --query 'length(CommonPrefixes)')" 4 prefixes
aws s3 cp --only-show-errors "s3://$BUCKET/t/big.bin" "s3://$BUCKET/copy of/big.bin"
aws s3 mv --only-show-errors "s3://$BUCKET/copy of/big.bin" "s3://$BUCKET/moved"
aws s3 cp --only-show-errors "s3://$BUCKET/moved" - | cmp - "$TREE/big.bin"
aws s3api get-object --bucket "$BUCKET" --key moved --range bytes=5-1000004 "$OUT/range" > /dev/null
cmp "$OUT/range" <(tail -c +6 "$TREE/big.bin" | head -c 1000000)
for kind in CRC32 CRC32C CRC64NVME SHA1 SHA256; do
  if ! aws s3 cp --only-show-errors --checksum-algorithm $kind "$TREE/big.bin" "s3://$BUCKET/sums/$kind" 2> "$OUT/error"; then
    # An aws that --install has not fetched may lack the native package for some kinds.
    grep -q 'Missing Dependency' "$OUT/error" || { cat "$OUT/error"; fail "$kind"; }
    continue
  fi
  aws s3api get-object --bucket "$BUCKET" --key sums/$kind --checksum-mode ENABLED "$OUT/sum" > /dev/null
  cmp "$OUT/sum" "$TREE/big.bin"
done
curl -fsS "$(aws s3 presign "s3://$BUCKET/t/a b+c%.txt")" | cmp - "$TREE/a b+c%.txt"
upload=$(aws s3api create-multipart-upload --bucket "$BUCKET" --key never --query UploadId --output text)
aws s3api upload-part --bucket "$BUCKET" --key never --part-number 1 --upload-id $upload --body "$TREE/plain.txt" > /dev/null
same "$(aws s3api list-multipart-uploads --bucket "$BUCKET" --query 'Uploads[].Key' --output text)" never uploads
aws s3api abort-multipart-upload --bucket "$BUCKET" --key never --upload-id $upload
aws s3api put-object-tagging --bucket "$BUCKET" --key moved --tagging 'TagSet=[{Key=a,Value=b c}]'
same "$(aws s3api get-object-tagging --bucket "$BUCKET" --key moved --query 'TagSet[0].Value' --output text)" "b c" tags
if aws s3api head-object --bucket "$BUCKET" --key none 2> "$OUT/error"; then fail "found what is not there"; fi
grep -q 404 "$OUT/error"
if aws s3api put-object --bucket "$BUCKET" --key moved --if-none-match '*' 2> "$OUT/error"; then fail "the condition"; fi
grep -q PreconditionFailed "$OUT/error"
mkdir "$OUT/nothing"
aws s3 sync --only-show-errors --delete "$OUT/nothing" "s3://$BUCKET/t"
same "$(aws s3 ls "s3://$BUCKET/t/")" "" "what sync --delete left"
aws s3 rm --only-show-errors --recursive "s3://$BUCKET/"
same "$(aws s3 ls "s3://$BUCKET/")" "" "what is left"
versions() { aws s3api list-object-versions --bucket "$BUCKET" --prefix kept --output text --query "$@"; }
aws s3api put-bucket-versioning --bucket "$BUCKET" --versioning-configuration Status=Enabled
for text in one two three; do echo $text | aws s3 cp --only-show-errors - "s3://$BUCKET/kept"; done
same "$(versions 'Versions[].[VersionId]' --page-size 2 | wc -l)" 3 versions
oldest=$(versions 'Versions[?IsLatest==\`false\`] | [-1].VersionId')
aws s3api get-object --bucket "$BUCKET" --key kept --version-id "$oldest" "$OUT/oldest" > /dev/null
same "$(cat "$OUT/oldest")" one "the oldest version"
aws s3 rm --only-show-errors "s3://$BUCKET/kept"
if aws s3api head-object --bucket "$BUCKET" --key kept 2> "$OUT/error"; then fail "found what was deleted"; fi
aws s3api delete-object --bucket "$BUCKET" --key kept --version-id "$(versions 'DeleteMarkers[0].VersionId')" > /dev/null
same "$(aws s3 cp "s3://$BUCKET/kept" -)" three "what is back"
aws s3api put-bucket-versioning --bucket "$BUCKET" --versioning-configuration Status=Suspended
for id in $(versions 'Versions[].VersionId'); do
  aws s3api delete-object --bucket "$BUCKET" --key kept --version-id $id > /dev/null
done
same "$(versions 'Versions')" None "versions that are left"
aws s3 rb "s3://$BUCKET"
`,
  },
  restic: {
    version: 'restic version | sed -n "s/^restic \\([0-9.]*\\).*/\\1/p"',
    script: `${shellPrelude}
export RESTIC_REPOSITORY="s3:$ENDPOINT/$BUCKET/repo" RESTIC_PASSWORD=secret RESTIC_CACHE_DIR="$OUT/cache"
restic -q init
restic -q backup "$TREE"
cp -r "$TREE" "$OUT/t"
echo more > "$OUT/t/plain.txt"
(cd "$OUT" && restic -q backup t)
restic -q check --read-data
restic -q restore latest --target "$OUT/back"
diff -r "$OUT/t" "$OUT/back/t"
first=$(restic snapshots --json | grep -o '"short_id":"[0-9a-f]*"' | head -1 | cut -d'"' -f4)
restic -q restore "$first" --target "$OUT/first"
diff -r "$TREE" "$OUT/first$TREE"
restic -q forget --keep-last 1 --group-by '' --prune
same "$(restic snapshots --json | grep -o short_id | wc -l)" 1 "snapshots that are left"
restic -q check --read-data
`,
  },
  annex: {
    version: 'git annex version | sed -n "s/^git-annex version: //p"',
    script: `${shellPrelude}
cp -r "$TREE" "$OUT/work"
cd "$OUT/work"
git config --global user.name ada
git config --global user.email ada@example.org
git config --global init.defaultBranch main
git config --global annex.dotfiles true
git config --global annex.security.allowed-ip-addresses 127.0.0.1
git init -q
git annex init -q work
git annex add -q .
git commit -qm tree
at="type=S3 host=\${ENDPOINT_HOST%:*} port=\${ENDPOINT_HOST##*:} protocol=http requeststyle=path signature=v4"
git annex initremote -q sealed $at bucket="$BUCKET" encryption=shared chunk=5MiB
git annex initremote -q plain $at bucket="$BUCKET" fileprefix=plain/ encryption=none partsize=6MiB
for remote in sealed plain; do
  git annex copy -q --to $remote
  git annex fsck -q --from $remote
  git annex drop -q
  [ ! -e plain.txt ] || fail "plain.txt was not dropped"
  git annex get -q --from $remote
  diff -r --exclude=.git "$TREE" .
done
git annex testremote -q --fast --size=6MiB plain > "$OUT/log" 2>&1 || { tail -40 "$OUT/log"; fail testremote; }
git annex initremote -q tree $at bucket="$BUCKET-tree" encryption=none exporttree=yes partsize=6MiB
git annex export -q main --to tree
git mv 'a b+c%.txt' moved.txt
git rm -q empty
git commit -qm moved
git annex export -q main --to tree
git clone -q "$OUT/work" "$OUT/other"
cd "$OUT/other"
git annex init -q other
git remote remove origin
git annex enableremote -q tree
git annex enableremote -q sealed
git annex get -q --from tree
diff -r --exclude=.git "$OUT/work" .
git annex drop -q --force --from sealed
git annex whereis --in sealed | grep -q . && fail "files in sealed after they were dropped"
git annex get -q --from tree --in sealed
`,
  },
  rclone: {
    version: 'rclone version | sed -n "s/^rclone v//p"',
    script: `${shellPrelude}
export RCLONE_CONFIG_G_TYPE=s3 RCLONE_CONFIG_G_PROVIDER=Other RCLONE_CONFIG_G_ENDPOINT=$ENDPOINT RCLONE_CONFIG_G_ENV_AUTH=true
export RCLONE_S3_CHUNK_SIZE=5Mi RCLONE_S3_UPLOAD_CUTOFF=8Mi RCLONE_S3_COPY_CUTOFF=8Mi
rclone mkdir "g:$BUCKET"
rclone sync "$TREE" "g:$BUCKET/t"
rclone check "$TREE" "g:$BUCKET/t"
rclone check --download "$TREE" "g:$BUCKET/t"
rclone -v sync "$TREE" "g:$BUCKET/t" 2> "$OUT/log"
grep -q 'There was nothing to transfer' "$OUT/log" || { cat "$OUT/log"; fail "the second sync"; }
same "$(rclone lsf -R --files-only "g:$BUCKET" | wc -l)" "$count" objects
rclone copy "g:$BUCKET/t" "$OUT/t"
diff -r "$TREE" "$OUT/t"
rclone copyto "g:$BUCKET/t/big.bin" "g:$BUCKET/copy of/big"
rclone moveto "g:$BUCKET/copy of/big" "g:$BUCKET/moved"
rclone cat "g:$BUCKET/moved" | cmp - "$TREE/big.bin"
rclone cat --offset 5 --count 1000000 "g:$BUCKET/moved" | cmp - <(tail -c +6 "$TREE/big.bin" | head -c 1000000)
cat "$TREE/big.bin" | rclone rcat "g:$BUCKET/streamed"
rclone cat "g:$BUCKET/streamed" | cmp - "$TREE/big.bin"
rclone touch -t 2020-01-02T03:04:05 "g:$BUCKET/moved"
same "$(rclone lsf --format t "g:$BUCKET/moved")" "$(TZ= date -d @1577934245 '+%Y-%m-%d %H:%M:%S')" "time"
same "$(rclone md5sum "g:$BUCKET/t/plain.txt" | cut -d' ' -f1)" "$(md5sum < "$TREE/plain.txt" | cut -d' ' -f1)" MD5
rclone backend list-multipart-uploads "g:$BUCKET" | grep -q '{'
rclone cleanup "g:$BUCKET"
rclone link --expire 1h "g:$BUCKET/t/plain.txt" | xargs curl -fsS | cmp - "$TREE/plain.txt"
rclone delete "g:$BUCKET/t" --include '*.txt'
rclone purge "g:$BUCKET"
same "$(rclone lsf g: | grep -c "$BUCKET" || true)" 0 buckets
`,
  },
  s5cmd: {
    version: 's5cmd version | sed "s/^v\\([0-9.]*\\).*/\\1/"',
    script: `${shellPrelude}
s5cmd mb "s3://$BUCKET" > /dev/null
s5cmd cp --part-size 5 "$TREE/" "s3://$BUCKET/t/" > /dev/null
same "$(s5cmd ls "s3://$BUCKET/*" | wc -l)" "$count" objects
s5cmd cp "s3://$BUCKET/t/*" "$OUT/t/" > /dev/null
diff -r "$TREE" "$OUT/t"
same "$(s5cmd sync --size-only "$TREE/" "s3://$BUCKET/t/")" "" "the second sync"
s5cmd cp "s3://$BUCKET/t/big.bin" "s3://$BUCKET/copy/big" > /dev/null
s5cmd mv "s3://$BUCKET/copy/big" "s3://$BUCKET/moved" > /dev/null
s5cmd cat "s3://$BUCKET/moved" | cmp - "$TREE/big.bin"
cat "$TREE/big.bin" | s5cmd pipe "s3://$BUCKET/piped" > /dev/null
s5cmd cat "s3://$BUCKET/piped" | cmp - "$TREE/big.bin"
same "$(s5cmd du "s3://$BUCKET/moved" | cut -d' ' -f1)" "$(stat -c %s "$TREE/big.bin")" size
s5cmd rm "s3://$BUCKET/*" > /dev/null
s5cmd rb "s3://$BUCKET" > /dev/null
`,
  },
  mc: {
    // A build from the Go proxy does not know its version; Go does.
    version: 'go version -m "$(command -v mc)" | sed -n "s#.*github.com/minio/mc.*-\\(....\\)\\(..\\)\\(..\\)......-.*#\\1-\\2-\\3#p"',
    script: `${shellPrelude}
mc -q alias set g "$ENDPOINT" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" > /dev/null
mc -q mb "g/$BUCKET" > /dev/null
mc -q mirror "$TREE" "g/$BUCKET/t" > /dev/null
same "$(mc -q diff "$TREE" "g/$BUCKET/t")" "" "the difference"
mc -q mirror "g/$BUCKET/t" "$OUT/t" > /dev/null
diff -r "$TREE" "$OUT/t"
same "$(mc -q ls -r "g/$BUCKET" | wc -l)" "$count" objects
mc -q cp "g/$BUCKET/t/big.bin" "g/$BUCKET/copy of/big" > /dev/null
mc -q mv "g/$BUCKET/copy of/big" "g/$BUCKET/moved" > /dev/null
mc -q cat "g/$BUCKET/moved" | cmp - "$TREE/big.bin"
mc -q cat "$TREE/big.bin" | mc -q pipe "g/$BUCKET/piped" > /dev/null
mc -q cat "g/$BUCKET/piped" | cmp - "$TREE/big.bin"
mc -q head -n 1 "g/$BUCKET/moved" | cmp - <(head -n 1 "$TREE/big.bin")
mc -q tag set "g/$BUCKET/moved" "a=b" > /dev/null
mc -q tag list "g/$BUCKET/moved" | grep -q b
mc -q stat "g/$BUCKET/moved" > /dev/null
mc -q share download "g/$BUCKET/moved" | sed -n 's/^Share: //p' | xargs curl -fsS | cmp - "$TREE/big.bin"
mc -q find "g/$BUCKET" --name '*.txt' > /dev/null
mc -q rm -r --force "g/$BUCKET" > /dev/null
mc -q rb "g/$BUCKET" > /dev/null
`,
  },
}

const pythonPrelude = `
import os, sys, filecmp
bucket, tree, out, endpoint = (os.environ[name] for name in ('BUCKET', 'TREE', 'OUT', 'ENDPOINT'))
key, secret, host = (os.environ[name] for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'ENDPOINT_HOST'))
names = sorted(os.path.relpath(os.path.join(at, name), tree) for at, _, files in os.walk(tree) for name in files)
def content(name):
    with open(os.path.join(tree, name), 'rb') as file: return file.read()
big = content('big.bin')
`

/** Programs by the name of the client. */
export const pythonClients: Readonly<Record<string, S3Client>> = {
  boto3: {
    in: 'main', script: `${pythonPrelude}
import boto3, urllib.request
from botocore.config import Config
from botocore.exceptions import ClientError
from boto3.s3.transfer import TransferConfig
c = boto3.client('s3', endpoint_url=endpoint, config=Config(signature_version='s3v4'))
c.create_bucket(Bucket=bucket)
config = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=5 << 20)
for name in names:
    c.upload_file(os.path.join(tree, name), bucket, 't/' + name, Config=config, ExtraArgs={'Metadata': {'origin': 'tree'}, 'ContentType': 'text/x'})
pages = c.get_paginator('list_objects_v2').paginate(Bucket=bucket, Prefix='t/', PaginationConfig={'PageSize': 3})
found = [each['Key'][2:] for page in pages for each in page['Contents']]
assert found == sorted(names, key=lambda name: name.encode()), found
old = c.get_paginator('list_objects').paginate(Bucket=bucket, Prefix='t/', PaginationConfig={'PageSize': 3})
assert [each['Key'][2:] for page in old for each in page['Contents']] == found
for name in names:
    c.download_file(bucket, 't/' + name, os.path.join(out, 'x'), Config=config)
    assert filecmp.cmp(os.path.join(out, 'x'), os.path.join(tree, name), shallow=False), name
    head = c.head_object(Bucket=bucket, Key='t/' + name)
    assert head['Metadata'] == {'origin': 'tree'} and head['ContentType'] == 'text/x' and head['ContentLength'] == len(content(name))
got = c.get_object(Bucket=bucket, Key='t/big.bin', Range='bytes=-7')
assert got['Body'].read() == big[-7:] and got['ContentRange'] == 'bytes %d-%d/%d' % (len(big) - 7, len(big) - 1, len(big))
assert c.get_object(Bucket=bucket, Key='t/big.bin', PartNumber=2)['PartsCount'] == 5
c.copy({'Bucket': bucket, 'Key': 't/big.bin'}, bucket, 'copy', Config=config)
assert c.get_object(Bucket=bucket, Key='copy')['Body'].read() == big
try:
    c.get_object(Bucket=bucket, Key='none')
    raise Exception('found what is not there')
except c.exceptions.NoSuchKey: pass
with urllib.request.urlopen(c.generate_presigned_url('get_object', Params={'Bucket': bucket, 'Key': 't/a b+c%.txt'})) as reply:
    assert reply.read() == content('a b+c%.txt')
import urllib3
form = c.generate_presigned_post(bucket, 'posted/\${filename}', Fields={'Content-Type': 'text/x'}, Conditions=[
    {'Content-Type': 'text/x'}, ['content-length-range', 1, 1 << 20]])
posted = lambda data: urllib3.PoolManager().request('POST', form['url'], fields={**form['fields'], 'file': ('rye.txt', data)})
assert posted(b'rye').status == 204 and posted(b'x' * (2 << 20)).status == 400
assert c.get_object(Bucket=bucket, Key='posted/rye.txt')['Body'].read() == b'rye'
c.put_bucket_cors(Bucket=bucket, CORSConfiguration={'CORSRules': [{'AllowedOrigins': ['*'], 'AllowedMethods': ['GET'], 'MaxAgeSeconds': 5}]})
assert c.get_bucket_cors(Bucket=bucket)['CORSRules'][0]['AllowedMethods'] == ['GET']
c.delete_bucket_cors(Bucket=bucket)
for kind in ('CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'):
    c.put_object(Bucket=bucket, Key='summed', Body=b'abc', ChecksumAlgorithm=kind)
    assert 'Checksum' + kind in c.head_object(Bucket=bucket, Key='summed', ChecksumMode='ENABLED')
versions = c.list_object_versions(Bucket=bucket, Prefix='t/big')
assert versions['Versions'][0]['IsLatest']
try:
    c.put_object(Bucket=bucket, Key='summed', Body=b'x', IfNoneMatch='*')
    raise Exception('a condition that does not hold')
except ClientError as error: assert error.response['Error']['Code'] == 'PreconditionFailed'
keys = [each['Key'] for page in c.get_paginator('list_objects_v2').paginate(Bucket=bucket) for each in page['Contents']]
gone = c.delete_objects(Bucket=bucket, Delete={'Objects': [{'Key': each} for each in keys]})
assert len(gone['Deleted']) == len(keys) and 'Errors' not in gone
c.delete_bucket(Bucket=bucket)
` },
  minio: {
    in: 'main', script: `${pythonPrelude}
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
c = Minio(host, access_key=key, secret_key=secret, secure=False)
assert not c.bucket_exists(bucket)
c.make_bucket(bucket)
for name in names: c.fput_object(bucket, 't/' + name, os.path.join(tree, name), part_size=5 << 20)
assert sorted(each.object_name[2:] for each in c.list_objects(bucket, prefix='t/', recursive=True)) == names
for name in names:
    c.fget_object(bucket, 't/' + name, os.path.join(out, 'x'))
    assert filecmp.cmp(os.path.join(out, 'x'), os.path.join(tree, name), shallow=False), name
assert c.get_object(bucket, 't/big.bin', offset=5, length=10).read() == big[5:15]
c.copy_object(bucket, 'copy', CopySource(bucket, 't/big.bin'))
c.compose_object(bucket, 'twice', [ComposeSource(bucket, 't/big.bin'), ComposeSource(bucket, 'copy')])
assert c.get_object(bucket, 'twice').read() == big + big
tags = Tags.new_object_tags(); tags['a'] = 'b'
c.set_object_tags(bucket, 'copy', tags)
assert dict(c.get_object_tags(bucket, 'copy')) == {'a': 'b'}
try:
    c.stat_object(bucket, 'none')
    raise Exception('found what is not there')
except S3Error as error: assert error.code == 'NoSuchKey'
assert not list(c.remove_objects(bucket, [DeleteObject(each.object_name) for each in c.list_objects(bucket, recursive=True)]))
c.remove_bucket(bucket)
` },
  pyarrow: {
    in: 'main', script: `${pythonPrelude}
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.dataset as ds
from pyarrow import fs
f = fs.S3FileSystem(access_key=key, secret_key=secret, endpoint_override=host, scheme='http', allow_bucket_creation=True, allow_bucket_deletion=True)
f.create_dir(bucket)
f.create_dir(bucket + '/made/deep')
table = pa.table({'n': list(range(100_000)), 'grain': ['rye', 'oats'] * 50_000})
pq.write_table(table, bucket + '/one.parquet', filesystem=f)
assert pq.read_table(bucket + '/one.parquet', filesystem=f).equals(table)
ds.write_dataset(table, bucket + '/set', filesystem=f, format='parquet', partitioning=['grain'])
found = ds.dataset(bucket + '/set', filesystem=f, format='parquet', partitioning=['grain'])
assert found.count_rows(filter=ds.field('n') < 100) == 100
for name in names:
    with f.open_output_stream(bucket + '/t/' + name) as stream: stream.write(content(name))
infos = f.get_file_info(fs.FileSelector(bucket + '/t', recursive=True))
assert sorted(each.path[len(bucket) + 3:] for each in infos if each.type == fs.FileType.File) == names
with f.open_input_file(bucket + '/t/big.bin') as file:
    file.seek(5)
    assert file.read(10) == big[5:15]
f.copy_file(bucket + '/t/big.bin', bucket + '/copy')
f.move(bucket + '/copy', bucket + '/moved')
assert f.get_file_info(bucket + '/copy').type == fs.FileType.NotFound and f.get_file_info(bucket + '/moved').size == len(big)
f.delete_dir_contents(bucket)
f.delete_dir(bucket)
` },
  opendal: {
    in: 'main', script: `${pythonPrelude}
import boto3, opendal
boto3.client('s3', endpoint_url=endpoint).create_bucket(Bucket=bucket)
o = opendal.Operator('s3', bucket=bucket, endpoint=endpoint, access_key_id=key, secret_access_key=secret, region='us-east-1')
for name in names:
    if name.strip() == name: o.write('t/' + name, content(name))
assert o.read('t/big.bin') == big
assert o.stat('t/big.bin').content_length == len(big)
with o.open('t/big.bin', 'rb') as file:
    file.seek(5)
    assert bytes(file.read(10)) == big[5:15]
o.copy('t/big.bin', 'copy')
assert o.read('copy') == big
assert {each.path for each in o.list('t/')} >= {'t/deep/', 't/plain.txt'}
o.remove_all('t/')
o.delete('copy')
assert not [each.path for each in o.scan('') if each.path not in ('', '/')]
boto3.client('s3', endpoint_url=endpoint).delete_bucket(Bucket=bucket)
` },
  s3fs: {
    in: 's3fs', also: 'aiobotocore', script: `${pythonPrelude}
import s3fs
f = s3fs.S3FileSystem(key=key, secret=secret, endpoint_url=endpoint)
f.mkdir(bucket)
f.put(tree + '/', bucket + '/t/', recursive=True)
f.invalidate_cache()
odd = '[br](ack){et}'
assert sorted(each[len(bucket) + 3:] for each in f.find(bucket + '/t')) == names
f.get(bucket + '/t/', out + '/t/', recursive=True)
for name in names: assert filecmp.cmp(os.path.join(out, 't', name), os.path.join(tree, name), shallow=False), name
with f.open(bucket + '/stream', 'wb', block_size=5 << 20) as file:
    for at in range(0, len(big), 1 << 20): file.write(big[at:at + (1 << 20)])
with f.open(bucket + '/stream', 'rb') as file:
    file.seek(5)
    assert file.read(10) == big[5:15]
assert f.cat(bucket + '/stream') == big
f.mv(bucket + '/stream', bucket + '/moved')
assert f.exists(bucket + '/moved') and not f.exists(bucket + '/stream')
f.cp(bucket + '/t/deep', bucket + '/copied', recursive=True)
f.touch(bucket + '/touched')
assert f.info(bucket + '/touched')['size'] == 0
assert f.du(bucket + '/moved') == len(big)
f.setxattr(bucket + '/touched', origin='here')
assert f.getxattr(bucket + '/touched', 'origin') == 'here'
assert [each for each in f.glob(bucket + '/t/*.txt')]
f.rm(bucket, recursive=True)
assert not f.exists(bucket)
` },
  duckdb: {
    in: 'tables', also: 'duckdb-extension-httpfs', script: `${pythonPrelude}
import duckdb, duckdb_extension_httpfs, glob
c = duckdb.connect(config={'memory_limit': '1GB', 'threads': 2})
c.execute("LOAD '%s'" % glob.glob(os.path.dirname(duckdb_extension_httpfs.__file__) + '/extensions/*/httpfs.duckdb_extension')[0])
c.execute(f"CREATE SECRET (TYPE s3, KEY_ID '{key}', SECRET '{secret}', ENDPOINT '{host}', URL_STYLE 'path', USE_SSL false, REGION 'us-east-1')")
from pyarrow import fs
f = fs.S3FileSystem(access_key=key, secret_key=secret, endpoint_override=host, scheme='http', allow_bucket_creation=True, allow_bucket_deletion=True)
f.create_dir(bucket)
c.execute(f"COPY (SELECT range AS n, 'grain ' || range % 7 AS grain FROM range(1000000)) TO 's3://{bucket}/one.parquet'")
assert c.execute(f"SELECT count(*), sum(n), count(DISTINCT grain) FROM 's3://{bucket}/one.parquet'").fetchone() == (1000000, 499999500000, 7)
c.execute(f"COPY (SELECT * FROM 's3://{bucket}/one.parquet') TO 's3://{bucket}/set' (FORMAT parquet, PARTITION_BY (grain))")
assert c.execute(f"SELECT count(*) FROM read_parquet('s3://{bucket}/set/*/*.parquet', hive_partitioning = true) WHERE grain = 'grain 3'").fetchone()[0] == 142857
c.execute(f"COPY (SELECT range AS n FROM range(100000)) TO 's3://{bucket}/a b+c/ü.csv'")
assert c.execute(f"SELECT max(n) FROM 's3://{bucket}/a b+c/*.csv'").fetchone()[0] == 99999
f.delete_dir(bucket)
` },
  deltalake: {
    in: 'tables', also: 'polars', script: `${pythonPrelude}
import polars as pl, threading
from deltalake import DeltaTable, write_deltalake
from pyarrow import fs
f = fs.S3FileSystem(access_key=key, secret_key=secret, endpoint_override=host, scheme='http', allow_bucket_creation=True, allow_bucket_deletion=True)
f.create_dir(bucket)
options = {'aws_access_key_id': key, 'aws_secret_access_key': secret, 'aws_endpoint_url': endpoint, 'aws_allow_http': 'true', 'aws_region': 'us-east-1', 'conditional_put': 'etag'}
at = f's3://{bucket}/table'
frame = pl.DataFrame({'n': range(1000), 'grain': ['rye', 'oats'] * 500})
frame.write_parquet(f's3://{bucket}/frame.parquet', storage_options={each: options[each] for each in options if each != 'conditional_put'})
assert pl.scan_parquet(f's3://{bucket}/frame.parquet', storage_options={each: options[each] for each in options if each != 'conditional_put'}).filter(pl.col('n') < 10).collect().height == 10
write_deltalake(at, frame.to_arrow(), storage_options=options)
failed = []
def append():
    try: write_deltalake(at, frame.to_arrow(), mode='append', storage_options=options)
    except Exception as error: failed.append(error)
threads = [threading.Thread(target=append) for _ in range(5)]
for each in threads: each.start()
for each in threads: each.join()
assert not failed, failed
table = DeltaTable(at, storage_options=options)
assert table.version() == 5 and table.to_pyarrow_table().num_rows == 6000
table.delete("grain = 'rye'")
table.optimize.compact()
assert DeltaTable(at, storage_options=options).to_pyarrow_table().num_rows == 3000
assert DeltaTable(at, version=0, storage_options=options).to_pyarrow_table().num_rows == 1000
f.delete_dir(bucket)
` },
}

/** Program for Node with Amazon's SDK. */
export const nodeClient = `
import assert from 'node:assert/strict'
import { createReadStream, readFileSync, readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import * as s3 from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
const { BUCKET: Bucket, TREE, ENDPOINT: endpoint } = process.env
const c = new s3.S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true })
const names = readdirSync(TREE, { recursive: true }).filter(name => statSync(join(TREE, name)).isFile())
const big = readFileSync(join(TREE, 'big.bin'))
const bytesOf = async reply => Buffer.from(await reply.Body.transformToByteArray())
await c.send(new s3.CreateBucketCommand({ Bucket }))
for (const name of names) await c.send(new s3.PutObjectCommand({ Bucket, Key: 't/' + name, Body: readFileSync(join(TREE, name)), Metadata: { a: 'b' } }))
const found = []
for await (const page of s3.paginateListObjectsV2({ client: c, pageSize: 3 }, { Bucket, Prefix: 't/' })) found.push(...page.Contents.map(each => each.Key.slice(2)))
assert.deepEqual(found, names.sort((a, b) => Buffer.from(a).compare(Buffer.from(b))))
for (const name of names) {
  const reply = await c.send(new s3.GetObjectCommand({ Bucket, Key: 't/' + name, ChecksumMode: 'ENABLED' }))
  assert.deepEqual(reply.Metadata, { a: 'b' })
  assert((await bytesOf(reply)).equals(readFileSync(join(TREE, name))), name)
}
// Without CRC64NVME, for which the SDK needs a native package.
for (const ChecksumAlgorithm of [undefined, 'CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
  const Key = 'multi/' + ChecksumAlgorithm
  await new Upload({ client: c, partSize: 5 << 20, params: { Bucket, Key, Body: createReadStream(join(TREE, 'big.bin')), ChecksumAlgorithm } }).done()
  assert((await bytesOf(await c.send(new s3.GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' })))).equals(big))
}
const range = await c.send(new s3.GetObjectCommand({ Bucket, Key: 't/big.bin', Range: 'bytes=5-14' }))
assert((await bytesOf(range)).equals(big.subarray(5, 15)))
await c.send(new s3.CopyObjectCommand({ Bucket, Key: 'copy of/x', CopySource: encodeURIComponent(Bucket + '/t/a b+c%.txt') }))
const url = await getSignedUrl(c, new s3.GetObjectCommand({ Bucket, Key: 'copy of/x' }), { expiresIn: 60 })
assert(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(readFileSync(join(TREE, 'a b+c%.txt'))))
// By default the SDK signs the checksum of an empty body into the URL: no store accepts another body for it.
const plain = new s3.S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED' })
const put = await getSignedUrl(plain, new s3.PutObjectCommand({ Bucket, Key: 'by/url' }), { expiresIn: 60 })
assert.equal((await fetch(put, { method: 'PUT', body: 'by url' })).status, 200)
await assert.rejects(c.send(new s3.HeadObjectCommand({ Bucket, Key: 'none' })), { name: 'NotFound' })
await assert.rejects(c.send(new s3.GetObjectCommand({ Bucket, Key: 'none' })), { name: 'NoSuchKey' })
await assert.rejects(c.send(new s3.PutObjectCommand({ Bucket, Key: 'by/url', Body: 'x', IfNoneMatch: '*' })), { name: 'PreconditionFailed' })
for await (const page of s3.paginateListObjectsV2({ client: c }, { Bucket }))
  await c.send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects: page.Contents.map(({ Key }) => ({ Key })) } }))
await c.send(new s3.DeleteBucketCommand({ Bucket }))
`
