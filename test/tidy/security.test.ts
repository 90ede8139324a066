// Each sentence of docs/security.md has the tests that prove it. A new or changed sentence fails here until its tests are named.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sentencesOf } from './security.ts'
import { readSources, root } from './source.ts'

/** Evidence for a sentence: tests, as a file below `test/` and a part of a title, or none where it only advises or sums up. */
type Proof = readonly (readonly [file: string, title: string])[] | 'advice' | 'heading'

const seen = 'cluster/security.test.ts'
const misbehaviour = 'unit/datanode/executor/misbehaviour.test.ts'

/** Keyed by the beginning of the sentence. */
const proofs: Readonly<Record<string, Proof>> = {
  '**Permission to write a file lets its content be read while it is appended to**': [
    ['unit/namenode/namespace/locate.test.ts', 'who writes a new state of a file that keeps its owner may read the old one with the lease'],
  ],
  'Give write permission to users only who may': 'advice',
  'An older version of an output is read with the rights': [
    ['unit/namenode/versions/versions.test.ts', 'who may replace an output may roll it back; who may read it may read its versions'],
  ],
  'Callers who may replace an output may roll it back': [
    ['unit/namenode/versions/versions.test.ts', 'who may replace an output may roll it back; who may read it may read its versions'],
  ],
  'A version records the parameters of its job': [
    ['unit/namenode/versions/versions.test.ts',
    'a version records its job, what it computed, and when and by whom it was made and replaced'],
  ],
  'The secret of an access key of a user is sealed': [
    ['unit/client/service/accounts.test.ts', 'the secret of a key is sent sealed'],
    ['unit/src/rpc/vault.test.ts', 'a sealed secret opens under no other name'],
  ],
  'A gateway issues a delegation token only': [
    ['unit/client/gateway/webhdfs/tokens.test.ts', 'a token is issued to a caller who has proved who it is'],
    ['unit/client/gateway/webhdfs/tokens.test.ts', 'it gets no other token and no renewal'],
  ],
  'A gateway takes a token over TLS': [
    ['unit/client/gateway/webhdfs/tokens.test.ts', 'is not taken where it can be read on its way, from a web page'],
  ],
  'A token that is altered, cancelled or over': [
    ['unit/namenode/users/tokens.test.ts', 'no part of a token can be changed'],
    ['unit/namenode/users/tokens.test.ts', 'which end with the user'],
    ['cluster/webhdfs.test.ts', 'at every gateway, until it is cancelled'],
  ],
  "The namenode's journal, store and backups have the SHA-256": [
    ['unit/namenode/users/tokens.test.ts', 'journal and store have no secret'],
    ['unit/client/gateway/accesslog.test.ts', 'masked'],
  ],
  'A token lets its bearer act as its owner': [
    ['unit/namenode/users/tokens.test.ts', 'a token is valid for a day, and as long as its renewer puts that off, for a week'],
  ],
  'A client of the PostgreSQL protocol proves its access key': [
    ['unit/client/gateway/pg/pg.test.ts', 'a key is proved by SCRAM, on this machine too'],
  ],
  'A name without a key is believed only on connections': [
    ['unit/client/gateway/pg/pg.test.ts', 'a name without one is believed only on loopback'],
  ],
  'Sessions are encrypted if the gateway has a certificate': [
    ['unit/client/gateway/pg/pg.test.ts', 'sessions are encrypted with the certificate of the gateway'],
  ],
  'A request to cancel a statement needs the secret': [
    ['unit/client/gateway/pg/pg.test.ts', 'only with the secret of its session'],
  ],
  '`serve-kv` listens on the loopback interface': [
    ['unit/client/serving/serving.test.ts', 'a token is asked for, and only by what reads; other addresses than loopback need one'],
  ],
  'Without a token, requests that name another host': [
    ['unit/client/serving/serving.test.ts', 'requests under a foreign host name are refused'],
  ],
  'Passwords in addresses, keys of S3 and signatures': [
    ['unit/src/connector/http.test.ts', 'addresses are taken apart without their secrets'],
    ['unit/src/connector/s3.test.ts', 'errors of the service have codes, and no key, secret or signature in them'],
    ['cluster/s3.test.ts', 'the commands of the guide to connectors'],
  ],
  'Keys with which tasks read objects of S3 are sealed': [
    ['unit/src/connector/reference.test.ts', 'keys of S3 are sealed'],
    ['cluster/outside.test.ts', 'objects of S3 are read with keys'],
    ['unit/client/sql/outside.test.ts', 'a new stage is of its user alone'],
  ],
  'What they read is sealed with them': [
    ['unit/src/connector/reference.test.ts', 'keys of S3 are sealed'],
  ],
  'A password goes to the server that the address names': [
    ['unit/src/connector/http.test.ts', 'redirects are followed without the password'],
  ],
  'Of a password the cluster has a hash': [
    ['unit/client/service/accounts.test.ts', 'of a password only the hash is sent'],
    ['unit/client/gateway/userpasswords.test.ts', 'few wait for their turn'],
  ],
  'The superuser adds and removes users': [['unit/namenode/users/users.test.ts', 'others see and change themselves only']],
  'Every process listens on the loopback interface': [[seen, 'every process listens on the loopback interface']],
  'Any other address needs a cluster secret': [
    [seen, 'any other address needs a secret of at least 32 bytes'],
    ['unit/src/home/home.test.ts', 'a secret that is missing, short, a link, or open to others is refused'],
  ],
  'Even on loopback a call must carry a token': [
    [seen, 'even on loopback a request must carry a token'],
    [seen, 'the secret that is made on loopback lies in a file with mode 0600'],
    ['unit/src/rpc/auth.test.ts', 'is not the secret, nor anything that gives it away'],
  ],
  'Web pages cannot send it': [
    [seen, 'web pages cannot send one'],
    ['unit/src/rpc/serve.test.ts', 'another content type, so that no web page can send one without asking'],
  ],
  'No other name gives rights': [['cluster/namenode.test.ts', 'no name that a caller gives makes it superuser']],
  'An account named `gristmill` is one like any other': [['cluster/namenode.test.ts', 'no name that a caller gives makes it superuser']],
  'Datanodes and clients sign with the same secret': [['cluster/namenode.test.ts', 'no name that a caller gives makes it superuser']],
  'On other addresses requests are signed': [
    ['unit/src/rpc/auth.test.ts', 'is refused when any part of it is changed'],
    ['unit/src/rpc/auth.test.ts', 'cannot be replayed at any moment'],
    ['unit/src/rpc/strangers.test.ts', 'a signed request with another body'],
  ],
  'The target server is not part of the signature': [
    ['unit/src/rpc/auth.test.ts', 'a recorded request is taken once by each server that has not seen it'],
  ],
  'A restarted server has forgotten which requests it received': [
    ['unit/src/rpc/auth.test.ts', 'a recorded request is taken once by each server that has not seen it'],
    ['unit/src/rpc/replays.test.ts', 'a request without an id that was signed before the start of its server is refused'],
    [seen, 'a signed request that is repeated is refused; after a restart it is taken once more'],
  ],
  'A caller whose clock is behind learns the time of the start from the refusal': [
    ['unit/src/rpc/replays.test.ts', 'a caller whose clock is behind is answered at once by a server that has just started'],
  ],
  'A change repeated in this way has no second effect': [[seen,
    'after a restart it is taken once more, and a change has no second effect']],
  '`/healthz`, `/readyz` and `/metrics` are answered without a token': [
    ['unit/src/rpc/serve.test.ts', 'health tells starting from ready, without a token'],
  ],
  'They contain numbers, directories of storages': [[seen, 'what is open tells no names of files and no contents']],
  'They cost little': [
    ['unit/src/rpc/strangers.test.ts', 'metrics are put together once a second'],
    ['unit/src/rpc/strangers.test.ts', 'a stranger is answered as often as it waits for its answers'],
  ],
  'On a wire, reading or writing a block takes a token': [
    ['unit/src/rpc/token.test.ts', 'a token allows exactly its mode on its block'],
    ['unit/src/rpc/token.test.ts', 'a token lasts as long as it says'],
    [seen, 'a block is written with its own token only'],
  ],
  'Keys are derived from the secret and roll every hour': [
    ['unit/src/rpc/token.test.ts', 'keys roll every hour'],
    ['unit/src/rpc/token.test.ts', 'a token of another cluster is refused'],
  ],
  'Over plain HTTP writing takes the same token': [
    ['unit/datanode/transfer/transfer.test.ts', 'a block is put and got over plain HTTP'],
    [seen, 'over plain HTTP the token of the cluster is enough to read'],
  ],
  'Cluster and node ids are checked on every call': [
    ['unit/src/rpc/auth.test.ts', 'a request for another cluster is refused as such'],
    ['unit/src/home/home.test.ts', 'a directory is tied to its first cluster for good'],
    [seen, 'a data directory is locked by the process that uses it'],
  ],
  "Commands carry the namenode's epoch": [
    ['unit/datanode/heartbeat/epoch.test.ts', 'a position behind the stored one is refused'],
    ['unit/namenode/succession/succession.test.ts', 'an old copy that is started without a recovery serves no calls'],
    ['unit/namenode/succession/behind.test.ts', 'of two copies that were both started'],
    ['unit/namenode/succession/succession.test.ts', 'a copy that was made within the last epoch'],
  ],
  'For S3 a gateway verifies the signature of each request': [
    ['unit/client/gateway/s3/signature.test.ts', 'no part of a signed request can be changed'],
    ['unit/client/gateway/s3/payload.test.ts', 'is refused at its end at the latest'],
    ['cluster/s3.test.ts', 'a gateway of S3 listens where other machines reach it with a cluster secret only'],
  ],
  'A policy of a bucket lets others do what': [
    ['cluster/s3/buckets.ts', 'a policy lets others do what the owner of the bucket may do, and no more'],
    ['unit/client/gateway/s3/access.test.ts', 'what a policy says about a key counts for it in snapshots'],
    ['unit/client/gateway/s3/statements.test.ts', 'a denial wins over a permission'],
  ],
  'Settings of a bucket are changed by its owner only': [
    ['cluster/s3/buckets.ts', 'settings of a bucket are for its owner, at every door'],
    ['unit/namenode/xattrs/xattrs.test.ts', 'settings of a bucket are for the owner of its directory'],
  ],
  'Requests whose users are not known take no place': [
    ['unit/client/gateway/places.test.ts', 'requests without a user take no place of known users'],
    ['unit/client/gateway/listener.test.ts', 'requests that do not tell their users take no place of a known user'],
    ['unit/client/gateway/listener.test.ts', 'a client that tells its user byte by byte is given up after a time'],
    ['cluster/s3/requests.ts', 'forms whose senders are slow to say who they are take no place of users'],
  ],
  'A query in SQL that comes through a gateway': [
    ['cluster/console.test.ts', 'reads no file of the machine that serves the console'], ['unit/client/sql/outside.test.ts',
    'opens no connection'],
  ],
  'The text of a query is kept with its job': [['cluster/sql.test.ts', 'a file of a web server is a table']],
  'The console answers nothing of the cluster without a session': [['unit/client/console/console.test.ts', 'without a session nothing']],
  'A link logs in once': [
    ['unit/client/console/sessions.test.ts', 'a link that is used twice is refused'],
    ['unit/client/console/sessions.test.ts', 'a link is refused when it is old'],
  ],
  'The session is a sealed cookie': [
    ['unit/client/console/console.test.ts', 'a cookie that scripts and other sites do not get'],
    ['unit/client/console/sessions.test.ts', 'a session ends after its time'],
  ],
  "The cluster's secret never reaches a page": [['unit/client/console/console.test.ts', 'and never the secret']],
  'Each change carries a token of its session': [
    ['unit/client/console/console.test.ts', 'a change needs the token of its own session'],
    ['unit/client/console/console.test.ts', 'a page of another site is refused'],
  ],
  'A page sends only the calls in the table': [
    ['unit/client/console/console.test.ts', 'only the calls of the pages are known'],
    ['unit/client/console/console.test.ts', 'calls are made as the user of the session'],
  ],
  'Names, messages, logs and contents of files are shown as text': [
    ['unit/client/console/console.test.ts', 'lets nothing else run'],
    ['unit/client/console/console.test.ts', 'a file is sent in a form that no browser runs'],
    ['unit/client/console/page.test.ts', 'take nothing from elsewhere'],
  ],
  '**A session of the console is as good': [['unit/client/console/sessions.test.ts', 'a session that was ended is none any more']],
  'A logout ends it at the gateway': [['unit/client/console/sessions.test.ts',
    'another console of the cluster takes a session that is not ended']],
  'On other addresses than loopback the cookie': 'advice',
  'A gateway acts as the user whom a request names': [['cluster/webhdfs.test.ts', 'a user without rights is refused']],
  'It believes the name only on connections of its own machine': [
    ['unit/client/gateway/identity.test.ts', 'only a trusted proxy is believed'],
    ['unit/client/gateway/identity.test.ts', 'on loopback a connection of this machine is believed'],
    ['unit/client/gateway/passwords.test.ts', 'a secret is taken over TLS, from this machine and from trusted proxies only'],
  ],
  'It refuses to listen on any other address': [['cluster/webhdfs.test.ts', 'a gateway does not listen where other machines reach it']],
  'Requests that a web page sends': [
    ['unit/client/gateway/identity.test.ts', 'on loopback %s is refused'], ['cluster/webhdfs.test.ts', 'that come from a web page'],
  ],
  '**A gateway on loopback lets every user of its machine': [['cluster/webhdfs.test.ts', 'a user without rights is refused']],
  'Start gateways on machines whose users': 'advice',
  'The audit log has the gateway': [['cluster/webhdfs.test.ts', 'the access log has a line for each request']],
  'Owner, group, mode and access control lists are kept and enforced': [
    [seen, 'owner, group and mode are enforced for every user'],
    ['cluster/webhdfs.test.ts', 'access control lists are those of HDFS, and in force at every door'],
    ['unit/src/base/acl.test.ts', 'the check of permissions is that of POSIX.1e'],
  ],
  "The user's name is the one that the caller's computer reports": [[seen, 'the name is taken on trust']],
  'Bounds on bodies, nesting, records': [
    ['unit/src/rpc/serve.test.ts', 'a body over the limit of its own message'],
    ['unit/src/rpc/body.test.ts', 'nesting is allowed up to 64 levels'],
    ['cluster/bad-program.test.ts', 'a line over the limit is an error'],
    ['unit/src/rpc/serve.test.ts', 'more calls than the bound are OVERLOADED'],
    [seen, 'a slow sender is given up'],
    ['cluster/strangers.test.ts', 'idle connections take nothing from members'],
    ['cluster/strangers.test.ts', 'idle connections to a gateway end no upload of a user'],
    ['unit/client/gateway/listener.test.ts', 'connections without a byte end others without a request of a known user'],
    ['unit/client/serving/serving.test.ts', 'connections without a byte end those that have shown no token'],
    [seen, 'a path is a key and never reaches the operating system'],
  ],
  "Users' code never runs in the namenode": [
    [seen, 'code runs in children of the datanode, never in the namenode'],
    ['tidy/security.test.ts', 'the namenode has nothing with which it could run a program'],
  ],
  'Tasks run in child processes whose environment': [
    [seen, 'a task has a process of its own'],
    [seen, 'a task gets what the run gives with --env'],
    [misbehaviour, 'a heap that overflows, and memory beside it'],
    ['unit/datanode/executor/tasks.test.ts', 'a task sees the variables of its job'],
  ],
  "When the task's process ends, the job is over": [
    [misbehaviour, 'processes that a program has started do not outlive it'],
    [misbehaviour, 'processes that a program has started end with its job'],
    ['unit/src/world/process.test.ts', 'what a child has started dies when the parent of the child is killed'],
  ],
  'A process that has left the group': [
    [misbehaviour, 'one in a session of its own, with another environment'],
    [misbehaviour, 'a process in a session of its own ends with the task'],
    ['unit/datanode/executor/pool.test.ts', 'what processes of an earlier life of the node have left running is ended'],
  ],
  'A process without parents that has changed both survives': [
    [
      'unit/src/world/process.test.ts',
      'strays are found by their TMPDIR, or by their working directory if they have no terminal; others are let be',
    ],
  ],
  'An endless loop, an exit, a crash': [
    [misbehaviour, 'a loop that never ends is ended by its time limit'],
    [misbehaviour, 'a program that ends its process'], [misbehaviour, 'process, which %s'], [misbehaviour, 'a heap that overflows'],
    ['unit/datanode/executor/misbehaviourkit.ts', 'After each misbehaviour the next task runs'],
  ],
  "Node's own permissions let a task write only": [
    [seen, 'permissions let a task write to its scratch, and to what all tasks of the node share'],
    [misbehaviour, 'a program cannot write over the blocks of its node by mistake'],
  ],
  'Those directories are shared by all tasks': [[seen, 'to what all tasks of the node share']],
  'The permissions hold JavaScript only': [
    [seen, 'the permissions do not hold a native addon'],
    [seen, 'a process that it starts is not held by them'],
    [seen, 'Node that a task starts is held by the permissions if'],
  ],
  'A command of `gristmill stream` is such a process': [['cluster/stream.test.ts', "a command may do what the datanode's user may"]],
  'It belongs to the process group of its task': [
    ['cluster/stream.test.ts', 'no process of a command outlives its task, its job or its executor'],
    ['unit/datanode/executor/commands.test.ts', 'the working directory is private'],
    ['unit/datanode/executor/commands.test.ts',
    "the environment has the names of Hadoop Streaming and the run's variables, and nothing else"],
  ],
  'Its memory and its processor time are not limited': 'advice',
  'A program is stored under its hash': [
    ['unit/client/jobs/job.test.ts', 'a submission stores its program once'],
    [seen, 'other bytes that a user has stored under the hash of a program'],
  ],
  'Before a job is submitted the stored file': [
    ['unit/client/jobs/job.test.ts', 'other bytes with the length and the checksum'],
    [misbehaviour, 'or is not the one that was submitted'],
    [seen, 'what lies under the hash of a program and cannot be it makes no difference'],
  ],
  'Files that a server opens in its own directories': [
    ['unit/src/world/disk.test.ts', 'what is no file is refused at once'],
    [seen, 'a datanode whose block files have been replaced by pipes'],
  ],
  'A disk whose `blocks` is a link': [[seen, 'a disk whose blocks are behind a link counts as failed']],
  '**Tasks are not in a sandbox.**': 'heading',
  "A task runs as the datanode's user": [[seen, 'user can, the blocks too, and use the network']],
  'It also holds the credentials': [['unit/datanode/executor/tasks.test.ts', 'secret is in the memory of a task']],
  'Run datanodes as a user of their own': 'advice', 'Stronger isolation': 'advice',
  '**Variables given with `--env` are not secret**': [[seen, 'what a run gives with --env lies in the namenode']],
  'Give a file name rather than a password': 'advice',
  '**User names are not verified**': [[seen, 'the name is taken on trust']],
  'Permissions protect against mistakes': [[seen, 'the name is taken on trust']],
  '**Logs and jobs are readable by all users.**': 'heading',
  'Every client with the secret sees the paths, the counters': [[seen, 'every user may read the status and the logs of a job']],
  'The logs of the servers themselves': [['unit/namenode/admin/servers.test.ts', 'by a token that only the superuser gets']],
  '`gristmill logs` prints the output of a program': [[seen, 'its log is written as it is']],
  '**Nothing is encrypted**': [
    [seen, 'names and contents lie on the disks as they are'],
    [seen, 'what goes over a connection can be read by who listens'],
  ],
  'Signatures prevent unauthorized calls': [[seen, 'what goes over a connection can be read by who listens']],
  'Use a private network': 'advice',
  '**One secret for all.**': 'heading',
  'Every holder of it has full access': [
    ['unit/datanode/transfer/transfer.test.ts', 'a block is put and got over plain HTTP'],
    [seen, 'the name is taken on trust'],
  ],
  'It can be changed while the cluster works': [
    ['cluster/machines.test.ts', 'the secret is changed while clients of both are served'],
    ['unit/src/rpc/auth.test.ts', 'requests and tokens of both are accepted, and of no third one'],
  ],
  'Denial of service by clients with the secret': 'heading',
  'Queues, messages, concurrent jobs': [
    ['unit/namenode/jobs/splits/admission.test.ts', 'jobs under way count as jobs'],
    ['unit/namenode/jobs/splits/admission.test.ts', 'are held against one bound'],
    ['unit/src/rpc/serve.test.ts', 'more calls than the bound are OVERLOADED'],
  ],
}

const page = readFileSync(join(root, 'docs/security.md'), 'utf8')
const beginnings = Object.keys(proofs)

test('every sentence about security names the tests that prove it, and none names a sentence that is no more', () => {
  const sentences = sentencesOf(page)
  expect(sentences.length).toBeGreaterThan(40)
  const used = sentences.map(({ about, text }) => ({ about, text, by: beginnings.filter(each => text.startsWith(each)) }))
  expect(used.filter(({ by }) => by.length !== 1)).toEqual([])
  expect(beginnings.filter(each => !used.some(({ by }) => by[0] === each))).toEqual([])
})

test('the tests that prove a sentence are there', () => {
  const texts = new Map<string, string>()
  const textOf = (file: string): string =>
    texts.get(file) ?? (texts.set(file, readFileSync(join(root, 'test', file), 'utf8')), texts.get(file)!)
  const missing = Object.values(proofs)
    .flatMap(proof => (typeof proof === 'string' ? [] : proof))
    .filter(([file, title]) => !textOf(file).includes(title))
  expect(missing).toEqual([])
})

test('a sentence that is added without a test is found, in a row and in a point', () => {
  const added = page
    .replace('where every user may write. ', 'where every user may write. Nothing is ever lost. ')
    .replace('Use a private network', 'All is well. Use a private network')
  expect(
    sentencesOf(added)
      .filter(({ text }) => !beginnings.some(each => text.startsWith(each)))
      .map(({ text }) => text),
  ).toEqual(['Nothing is ever lost.', 'All is well.'])
})

test('the namenode has nothing with which it could run a program', () => {
  const imports = readSources(['namenode']).flatMap(({ path, text }) =>
    [...text.matchAll(/(?:from|import) ?\(?'([^']+)'/g)].map(match => `${path}: ${match[1]}`),
  )
  expect(imports.length).toBeGreaterThan(100)
  expect(imports.filter(line => /src\/(program|operator)\/|node:(vm|child_process|worker_threads|module)|datanode\//.test(line))).toEqual(
    [],
  )
  expect(
    readSources(['namenode'])
      .filter(({ code }) => /\bimport\(|\beval\(|new Function\(/.test(code))
      .map(({ path }) => path),
  ).toEqual([])
})
