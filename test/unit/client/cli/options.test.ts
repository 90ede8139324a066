// Every option of every command has an effect: each row runs a command without and with it, and names the difference in the output or in
// the calls to the cluster. An option without a row fails the last test.

import { expect, test, vi } from 'vitest'
import { flagOf, settingNames } from '../../../../src/base/config.ts'
import { settings } from '../../../../src/base/settings.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { globals, loadAll } from '../../../../client/cli/catalog.ts'
import { buildProgram } from '../../../../client/cli/program.ts'
import type { CommandSpec } from '../../../../client/cli/spec.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'
import { nowMs, runFake, type Given } from './fake.ts'
import { Recorder } from './recorder.ts'

const asked = vi.hoisted((): { calls: unknown[] } => ({ calls: [] }))
vi.mock('../../../../client/process/recover.ts', () => ({
  recoverNamenode: async ({ settings: _settings, world: _world, ...options }: Record<string, unknown>) => {
    asked.calls.push(['recover', options])
    return { outcome: 'nothing', lost: 0 }
  },
}))
vi.mock('../../../../client/process/up.ts', () => ({
  up: async ({ detach, flags: { gateway } }: { detach: boolean; flags: Record<string, unknown> }) => {
    asked.calls.push(['up', { detach, gateway }])
  },
}))
vi.mock('../../../../client/process/console.ts', () => {
  const opened = { url: 'http://u', link: 'http://u/login#x', user: 'ada' }
  return {
    runConsole: async (_run: unknown, port: number | undefined, tell: { opened: (console: typeof opened) => Promise<void> }) => {
      asked.calls.push(['console', { port }])
      await tell.opened(opened)
    },
    linkTo: async (_run: unknown, url: string) => ({ ...opened, url }),
  }
})
vi.mock('../../../../client/process/servekv.ts', () => ({
  serveKeyValue: async (_parts: unknown, options: object, ready: (served: object) => Promise<void>) => {
    asked.calls.push(['serve-kv', options])
    await ready({ url: 'http://u', path: '/d', version: 1, records: 2 })
  },
}))
vi.mock('../../../../src/world/browser.ts', () => ({
  openBrowser: async () => {
    asked.calls.push(['browser'])
    return async () => {}
  },
}))

const day = 86_400_000
const cluster = () =>
  new Recorder({
    '/d/a.txt': 'one\ntwo\nthree\n',
    '/d/m.csv': { type: 'file', length: 5_000_000, mtimeMs: nowMs - 9 * day },
    '/d/.dot': 'x', '/d/sub/deep.txt': 'deep',
    '/d/none': { type: 'file', length: 0, mtimeMs: nowMs - 5 },
    '/d/old': {},
  })

const disk = async (): Promise<MemoryDisk> => {
  const made = new MemoryDisk()
  for (const name of ['/x', '/y', '/z', '/local']) await made.writeFileDurable(name, Buffer.from(name))
  await made.writeFileDurable('/q.sql', Buffer.from('SELECT 2 AS b'))
  await made.writeFileDurable('/q.csv', Buffer.from('a\n1\n'))
  return made
}

/** With a directory that is not empty. */
const used = await disk()
await used.mkdir('/used')
await used.writeFileDurable('/used/x', Buffer.from('x'))

/** The cluster in which a file is followed. */
let followed: Recorder
let looks = 0
/** A clock whose first wait lets another file take the place of /d/a.txt, and whose second one ends the command. */
const replacing: Given = {
  clock: {
    sleep: async () => {
      if (++looks > 1) throw new GristmillError('UNAVAILABLE', 'no namenode')
      followed.nodes.set('/d/a.txt', followed.nodes.get('/d/.dot')!)
    },
  },
}
const following = (mill: Recorder): void => { [followed, looks] = [mill, 0] }

interface Row {
  /** With its verb: `trash ls`. */
  readonly command: string
  /** As in the specification, without its value. */
  readonly flag: string
  /** Arguments of both runs. */
  readonly words: string
  /** The option as typed; default: its flag. */
  readonly typed?: string
  /** Present with the option, and absent without it. */
  readonly shown: string | RegExp
  /** The other way round: absent with the option. */
  readonly gone?: boolean
  readonly prepare?: (mill: Recorder) => void
  readonly given?: Given
}

const row = (command: string, flag: string, words: string, shown: string | RegExp, more: Partial<Row> = {}): Row => ({
  command, flag, words, shown, ...more,
})
let ticks = 0
/** A clock that advances by 100 ms each time it is read. */
const ticking: Given = { clock: { mono: () => ++ticks * 100, sleep: () => new Promise(resolve => setImmediate(resolve)) } }

const rows: readonly Row[] = [
  row('put', '--recursive', '/x /d/', '"recursive":true', { typed: '-r' }),
  row('put', '--overwrite', '/x /d/', '"overwrite":true', { typed: '-f' }),
  row('put', '--preserve', '/x /d/', '"preserve":true', { typed: '-p' }),
  row('put', '--replication', '/x /d/', '"replication":2', { typed: '--replication 2' }),
  row('put', '--block-size', '/x /d/', '"blockSize":65536', { typed: '--block-size 64KiB' }),
  row('put', '--format', '/x /d/', '"formatFor":"lines"', { typed: '--format lines' }),
  row('put', '--parallel', '/x /y /z /d/', '"atOnce":1', { typed: '--parallel 1' }),
  row('put', '--delimiter', '/x /d/', '"delimiter":";"', { typed: '--delimiter ;' }),
  row('put', '--header', '/x /d/', '"header":false', { typed: '--header no' }),
  // From stdin.
  row('put', '--delimiter', '- /d/new.csv', '"delimiter":";"', { typed: '--delimiter ;', given: { input: 'x' } }),
  row('put', '--header', '- /d/new.csv', '"header":true', { typed: '--header yes', given: { input: 'x' } }),
  row('put', '--overwrite', '- /d/new', '"overwrite":true', { typed: '-f', given: { input: 'x' } }),
  row('put', '--replication', '- /d/new', '"replication":2', { typed: '--replication 2', given: { input: 'x' } }),
  row('put', '--block-size', '- /d/new', '"blockSize":65536', { typed: '--block-size 64KiB', given: { input: 'x' } }),
  row('put', '--format', '- /d/new', '"format":"jsonl"', { typed: '--format jsonl', given: { input: 'x' } }),
  row('import', '--overwrite', 'http://h/x /d/', '"overwrite":true', { typed: '-f' }),
  row('import', '--parallel', 'http://h/x /d/', '"parallel":2', { typed: '--parallel 2' }),
  row('import', '--checksum', 'http://h/x /d/', '"checksum":"md5:00"', { typed: '--checksum md5:00' }),
  row('import', '--format', 'http://h/x /d/', '"format":"lines"', { typed: '--format lines' }),
  row('import', '--delimiter', 'http://h/x /d/', '"delimiter":";"', { typed: '--delimiter ;' }),
  row('import', '--replication', 'http://h/x /d/', '"replication":2', { typed: '--replication 2' }),
  row('import', '--block-size', 'http://h/x /d/', '"blockSize":65536', { typed: '--block-size 64KiB' }),
  row('import', '--endpoint', 's3://bucket/x /d/', '"endpoint":"http://h"', { typed: '--endpoint http://h' }),
  row('import', '--region', 's3://bucket/x /d/', '"region":"r"', { typed: '--region r' }),
  row('import', '--profile', 's3://bucket/x /d/', '"profile":"p"', { typed: '--profile p' }),
  row('import', '--from', 'kafka://h/t /d/', '"from":"7"', { typed: '--from 7' }),
  row('import', '--to', 'kafka://h/t /d/', '"to":"9"', { typed: '--to 9' }),
  row('import', '--value', 'kafka://h/t /d/', '"value":"avro"', { typed: '--value avro' }),
  row('import', '--key', 'kafka://h/t /d/', '"key":"bytes"', { typed: '--key bytes' }),
  row('import', '--bad', 'kafka://h/t /d/', '"bad":"keep"', { typed: '--bad keep' }),
  row('import', '--registry', 'kafka://h/t /d/', '"registry":"http://r"', { typed: '--registry http://r' }),
  row('export', '--value', '/d kafka://h/t', '"value":"avro"', { typed: '--value avro' }),
  row('export', '--rate', '/d kafka://h/t', '"rate":100', { typed: '--rate 100' }),
  row('export', '--create', '/d kafka://h/t', '"create":3', { typed: '--create 3' }),
  row('export', '--compression', '/d kafka://h/t', '"compression":"zstd"', { typed: '--compression zstd' }),
  row('export', '--registry', '/d kafka://h/t', '"registry":"http://r"', { typed: '--registry http://r' }),
  row('export', '--overwrite', '/d s3://bucket/x/', '"overwrite":true', { typed: '-f' }),
  row('export', '--parallel', '/d s3://bucket/x/', '"parallel":2', { typed: '--parallel 2' }),
  row('export', '--mode', '/d postgres://h/d/t', '"mode":"append"', { typed: '--mode append' }),
  row('export', '--key', '/d postgres://h/d/t', '"key":["a","b"]', { typed: '--key a,b' }),
  row('export', '--endpoint', '/d s3://bucket/x/', '"endpoint":"http://h"', { typed: '--endpoint http://h' }),
  row('export', '--region', '/d s3://bucket/x/', '"region":"r"', { typed: '--region r' }),
  row('export', '--profile', '/d s3://bucket/x/', '"profile":"p"', { typed: '--profile p' }),
  row('serve-kv', '--port', '/d', '"port":1', { typed: '--port 1' }),
  row('serve-kv', '--host', '/d', '"host":"h"', { typed: '--host h' }),
  row('serve-kv', '--token-file', '/d', '"tokenFile":"f"', { typed: '--token-file f' }),
  row('serve-kv', '--keep', '/d', '"keep":3', { typed: '--keep 3' }),
  row('get', '--recursive', '/d/a.txt /out', '"recursive":true', { typed: '-r' }),
  row('get', '--overwrite', '/d/a.txt /out', '"overwrite":true', { typed: '-f' }),
  row('get', '--preserve', '/d/a.txt /out', '"preserve":true', { typed: '-p' }),
  row('cp', '--recursive', '/d/a.txt /out', '"recursive":true', { typed: '-r' }),
  row('cp', '--overwrite', '/d/a.txt /out', '"overwrite":true', { typed: '-f' }),
  row('cp', '--preserve', '/d/a.txt /out', '"preserve":true', { typed: '-p' }),
  row('cp', '--replication', '/d/a.txt /out', '"replication":2', { typed: '--replication 2' }),
  row('cp', '--block-size', '/d/a.txt /out', '"blockSize":65536', { typed: '--block-size 64KiB' }),
  row('mv', '--overwrite', '/d/a.txt /d/none', '"overwrite":true', { typed: '-f' }),
  row('ls', '--long', '/d', '-rw-r--r--', { typed: '-l' }),
  row('ls', '--all', '/d', '.dot', { typed: '-a' }),
  row('ls', '--recursive', '/d', 'deep.txt', { typed: '-R' }),
  row('ls', '--directory', '/d', /"out":"\/d\\n"/, { typed: '-d' }),
  row('ls', '--human', '-l /d', '4.8M', { typed: '-h' }),
  row('ls', '--by-time', '/d', /none\\n.*a\.txt.*m\.csv/, { typed: '-t' }),
  row('ls', '--by-size', '/d', /m\.csv\\na\.txt.*none/, { typed: '-S' }),
  row('ls', '--one', '/d', /a\.txt\\n/, { typed: '-1', given: { terminal: { columns: 100 } } }),
  row('ls', '--reverse', '/d', /sub\\n.*m\.csv\\na\.txt/, { typed: '-r' }),
  row('mkdir', '--parents', '/p/q', '"recursive":true', { typed: '-p' }),
  row('mkdir', '--mode', '/q', '"mode":488', { typed: '-m 750' }),
  row('rm', '--recursive', '/d/a.txt', '"recursive":true', { typed: '-r' }),
  row('rm', '--force', '/nope', '"code":0', { typed: '-f' }),
  row('rm', '--skip-trash', '/d/a.txt', '"skipTrash":true'),
  row('du', '--summarize', '/d', '/d/sub', { typed: '-s', gone: true }),
  row('du', '--human', '/d', '4.8M', { typed: '-h' }),
  row('du', '--depth', '/d', '/d/sub', { typed: '-d 0', gone: true }),
  row('du', '--stored', '-s /d', '15000057', {}),
  row('du', '--total', '/d', 'total', { typed: '-c' }),
  row('du', '--versions', '-s /d', '\\t77\\t/d'),
  row('history', '--keep', '/d', '"versions.keep","/d",2', { typed: '--keep 2' }),
  row('rollback', '--to', '/d', '"to":"2"', { typed: '--to 2' }),
  row('lineage', '--mermaid', '/d', 'flowchart LR', {}),
  row('lineage', '--openlineage', '/d', 'OpenLineage', {}),
  row('why', '--code', '/d', '"code":"/p.ts"', { typed: '--code /p.ts' }),
  row('why', '--param', '/d', '"paramTexts":{"a":"1"}', { typed: '--param a=1' }),
  row('build', '--file', '', '"/w.ts"', { typed: '-f /w.ts' }),
  row('build', '--from', '', '"from":"2026-11-01"', { typed: '--from 2026-11-01' }),
  row('build', '--to', '', '"to":"2026-11-02"', { typed: '--to 2026-11-02' }),
  row('build', '--dry-run', '', '"dryRun":true'),
  row('build', '--force', '', '"force":true'),
  row('build', '--schedule', '', 'buildOnSchedule'),
  row('build', '--detach', '--schedule', 'scheduleBuild'),
  row('build', '--name', '--schedule --detach', '"name":"nightly"', { typed: '--name nightly' }),
  row('build', '--replace', '--schedule --detach', '"replace":true'),
  row('build', '--queue', '', '"queue":"etl"', { typed: '--queue etl' }),
  row('build', '--priority', '', '"priority":7', { typed: '--priority 7' }),
  row('build', '--task-timeout', '', '"taskTimeoutMs":60000', { typed: '--task-timeout 1m' }),
  row('build', '--jobs', '', '"concurrency":3', { typed: '-j 3' }),
  row('rerun', '--code', 'job-1', '"code":"/p.ts"', { typed: '--code /p.ts' }),
  row('rerun', '--output', 'job-1', '"output":"/out"', { typed: '-o /out' }),
  row('rerun', '--trust', 'job-1', '"trust":true'),
  row('rerun', '--latest', 'job-1', '"latest":true'),
  row('rerun', '--env', 'job-1', '"env":{"A":"b"}', { typed: '--env A=b' }),
  row('df', '--human', '', '94G', { typed: '-h' }),
  row('stat', '--blocks', '/d/a.txt', 'BLOCK', { typed: '-b' }),
  row('stat', '--printf', '/d/a.txt', /"out":"14\\n"/, { typed: '-c %s' }),
  row('head', '--lines', '/d/a.txt', 'two', { typed: '-n 1', gone: true }),
  row('head', '--bytes', '/d/a.txt', /"out":"on"/, { typed: '-c 2' }),
  row('tail', '--lines', '/d/a.txt', 'two', { typed: '-n 1', gone: true }),
  row('tail', '--bytes', '/d/a.txt', /"out":"e\\n"/, { typed: '-c 2' }),
  row('tail', '--follow', '/d/a.txt', 'is another file now', { typed: '-f', prepare: following, given: replacing }),
  // With each of these alone the answer for some path differs from that without: no for what is there.
  row('test', '--directory', '/d/a.txt', '"code":1', { typed: '-d' }), row('test', '--file', '/d', '"code":1', { typed: '-f' }),
  row('test', '--size', '/d/none', '"code":1', { typed: '-s' }), row('test', '--zero', '/d/a.txt', '"code":1', { typed: '-z' }),
  row('getmerge', '--overwrite', '/d/a.txt /x', '"code":0', { typed: '-f' }),
  row('getmerge', '--newline', '/d/.dot -', 'x\\n', { typed: '-n' }),
  row('getmerge', '--skip-header', '/d/a.txt /d/a.txt -', 'one\\ntwo\\nthree\\none', { gone: true }),
  row('count', '--human', '/d', '4.8M', { typed: '-h' }),
  row('count', '--quotas', '/d', /quotas\.get.*"out":"5  4  none  inf/, { typed: '-q' }),
  row('find', '--name', '/d', '/d/m.csv', { typed: '-name *.txt', gone: true }),
  row('find', '--iname', '/d', /"out":"\/d\/m\.csv\\n"/, { typed: '-iname M*' }),
  row('find', '--path', '/d', /"out":"\/d\/sub\/deep\.txt\\n"/, { typed: '-path /d/*/*' }),
  row('find', '--type', '/d', 'a.txt', { typed: '-type d', gone: true }),
  row('find', '--size', '/d', /"out":"\/d\/m\.csv\\n"/, { typed: '-size +1m' }),
  row('find', '--mtime', '/d', /"out":"\/d\/m\.csv\\n"/, { typed: '-mtime +7' }),
  row('find', '--newer', '/d', /"out":"\/d\/none\\n"/, { typed: '-newer /d/a.txt' }),
  row('find', '--maxdepth', '/d', 'deep.txt', { typed: '-maxdepth 1', gone: true }),
  row('find', '--mindepth', '/d', /"out":"\/d\/sub\/deep\.txt\\n"/, { typed: '-mindepth 2' }),
  row('find', '--empty', '/d', 'a.txt', { typed: '-empty', gone: true }),
  row('find', '--print0', '/d/none', '\\u0000', { typed: '-print0' }),
  row('setrep', '--recursive', '2 /d', '["setReplication","/d/sub/deep.txt",2', { typed: '-R' }),
  row('setrep', '--wait', '3 /d/a.txt', '"locate"', { typed: '-w', given: ticking }),
  row('checksum', '--local', '/local', '6  /local'),
  row('touch', '--no-create', '/new', '"touch"', { typed: '-c', gone: true }),
  row('touch', '--date', '/new', `"mtimeMs":${Date.UTC(2026, 0, 2)}`, { typed: '-d 2026-01-02T00:00:00Z' }),
  row('chmod', '--recursive', '600 /d', '["chmod","/d/sub/deep.txt",384', { typed: '-R' }),
  row('chown', '--recursive', 'ada /d', '["chown","/d/sub/deep.txt"', { typed: '-R' }),
  row('getfacl', '--recursive', '/d', '["acls.get","/d/sub/deep.txt"', { typed: '-R' }),
  row('setfacl', '--recursive', '-b /d', '["acls.clear","/d/sub/deep.txt"', { typed: '-R' }),
  row('setfacl', '--modify', '/d', '["acls.modify","/d",["user:bob:r-x"]', { typed: '-m u:bob:rx' }),
  row('setfacl', '--remove', '/d', '["acls.remove","/d",["user:bob"]', { typed: '-x user:bob' }),
  row('setfacl', '--set', '/d', '["acls.set","/d",["user::rwx"]', { typed: '--set user::rwx' }),
  row('setfacl', '--remove-all', '/d', '["acls.clear","/d"', { typed: '-b' }),
  row('setfacl', '--remove-default', '/d', '["acls.removeDefault","/d"', { typed: '-k' }),
  row('trash restore', '--overwrite', '/d/a', '"overwrite":true', { typed: '-f' }),
  row('trash restore', '--to', '/d/a', '"to":"/b"', { typed: '--to /b' }),
  row('trash empty', '--older-than', '', '"olderThanMs":3600000', { typed: '--older-than 1h' }),
  row('trash ls', '--all', '', '"all":true'), row('trash empty', '--all', '', '"all":true'),
  row('upload ls', '--older-than', '', 'grain/', { typed: '--older-than 2h', gone: true }),
  row('upload rm', '--older-than', '', `["rm","/.gristmill/uploads/${'a'.repeat(24)}"`, { typed: '--older-than 1h' }),
  row('user key', '--id', 'ada', '"id":"GMB"', { typed: '--id GMB' }),
  row('user key', '--secret-key', 'ada', '"secret":"/local"', { typed: '--secret-key /local' }),
  row('user key', '--rm', 'ada', '["users.rmKey","GMB"', { typed: '--rm GMB' }),
  row('user passwd', '--file', 'ada', '["users.passwd","ada","/local"', { typed: '--file /local', given: { input: 'typed' } }),
  row('user passwd', '--rm', 'ada', '["users.passwd","ada",null', { given: { input: 'typed' } }),
  row('quota set', '--names', '--bytes 5 /d', '"names":7', { typed: '--names 7' }),
  row('quota set', '--bytes', '--names 5 /d', '"bytes":1024', { typed: '--bytes 1KiB' }),
  row('init', '--template', '/p', '/p/sales.csv', { typed: '--template csv' }),
  row('init', '--force', '/used', '"code":0', { given: { disk: used } }),
  row('run', '--input', 'p.ts', '"input":["/a","/b"]', { typed: '-i /a --input /b' }),
  row('run', '--output', 'p.ts', '"output":"/out"', { typed: '-o out' }),
  row('run', '--overwrite', 'p.ts', '"overwrite":true'),
  row('run', '--force', 'p.ts --overwrite', '"force":true'),
  row('run', '--reducers', 'p.ts', '"reducers":3', { typed: '--reducers 3' }),
  row('run', '--param', 'p.ts', '"paramTexts":{"a":"1","b":"x"}', { typed: '--param a=1 --param b=x' }),
  row('run', '--encoding', 'p.ts', '"encoding":"utf16le"', { typed: '--encoding utf16le' }),
  row('run', '--delimiter', 'p.ts', '"delimiter":"\\t"', { typed: '--delimiter tab' }),
  row('run', '--name', 'p.ts', '"name":"called"', { typed: '--name called' }),
  row('run', '--memory', 'p.ts', '"memoryBytes":16777216', { typed: '--memory 16MiB' }),
  row('run', '--cpu', 'p.ts', '"cpu":3', { typed: '--cpu 3' }),
  row('run', '--task-timeout', 'p.ts', '"taskTimeoutMs":60000', { typed: '--task-timeout 1m' }),
  row('run', '--queue', 'p.ts', '"queue":"etl"', { typed: '--queue etl' }),
  row('run', '--priority', 'p.ts', '"priority":-5', { typed: '--priority -5' }),
  row('run', '--attempts', 'p.ts', '"attemptsMax":2', { typed: '--attempts 2' }),
  row('run', '--env', 'p.ts', '"env":{"A":"1","B":"2"}', { typed: '--env A=1 --env B', given: { env: { B: '2' } } }),
  row('run', '--partition-size', 'p.ts', '"partitionBytes":1024', { typed: '--partition-size 1KiB' }),
  row('run', '--explain', 'p.ts', '"explain"', {}),
  row('run', '--without-rule', 'p.ts', '"withoutRules":["drop-shuffle","share-branches"]', {
    typed: '--without-rule drop-shuffle --without-rule share-branches',
  }),
  row('run', '--detach', 'p.ts', /"run.signal",false.*"out":"j0000000000000001\\n"/),
  row('sql', '--file', '', '"out":"b\\n2\\n"', { typed: '-f /q.sql', given: { input: 'SELECT 1 AS a' } }),
  row('sql', '--format', '', '{\\"a\\":1}', { typed: '--format jsonl', given: { input: 'SELECT 1 AS a' } }),
  row('sql', '--output', '', 'is a file of this machine', { typed: '-o /out', given: { input: `FROM './q.csv'` } }),
  row('sql', '--functions', '', '/missing.ts: no such file', { typed: '--functions missing.ts', given: { input: 'SELECT 1' } }),
  row('sql', '--queue', '-o /out', /queue\\*":\\*"etl/, { typed: '--queue etl', given: { input: 'SELECT 1' } }),
  row('sql', '--priority', '-o /out', /priority\\*":7/, { typed: '--priority 7', given: { input: 'SELECT 1' } }),
  row('sql', '--overwrite', '-o /out', /overwrite\\*":true/, { given: { input: 'SELECT 1' } }),
  row('sql', '--force', '-o /out --overwrite', /force\\*":true/, { given: { input: 'SELECT 1' } }),
  row('sql', '--param', '', '"out":"a,b\\n8,007\\n"', {
    typed: '--param a=7 --param b=007', given: { input: 'SELECT $a + 1 AS a, $b AS b' },
  }),
  row('sql', '--local-bytes', '', 'too large to be fetched', {
    typed: '--local-bytes 0', given: { input: `SELECT count(*) FROM '/d/m.csv', './q.csv'` },
  }),
  row('sql', '--distribute', '', 'tasks are to divide the query', {
    typed: '--distribute always', given: { input: `SELECT count(*) FROM '/d/m.csv', './q.csv'` },
  }),
  row('sql', '--explain', '', 'in this process: it reads no table', { given: { input: 'SELECT 1' } }),
  row('sql', '--memory', '', '32.0 MiB', { typed: '--memory 32MiB',
    given: { input: 'SELECT len(list(i)) AS n FROM range(6000000) t(i)' } }),
  row('stream', '--input', '-o /out', '"input":["/a","/b"]', { typed: '-i /a --input /b' }),
  row('stream', '--output', '-i /a', '"output":"/out"', { typed: '-o out' }),
  row('stream', '--map', '-i /a -o /out', '"map":"cat"', { typed: '--map cat' }),
  row('stream', '--reduce', '-i /a -o /out', '"reduce":"wc"', { typed: '--reduce wc' }),
  row('stream', '--combine', '-i /a -o /out', '"combine":"wc"', { typed: '--combine wc' }),
  row('stream', '--shell', '-i /a -o /out', '"shell":true', { typed: '--shell' }),
  row('stream', '--file', '-i /a -o /out', '"files":["a","b#c"]', { typed: '--file a --file b#c' }),
  row('stream', '--reducers', '-i /a -o /out', '"reducers":0', { typed: '--reducers 0' }),
  row('stream', '--input-format', '-i /a -o /out', '"inputFormat":"csv"', { typed: '--input-format csv' }),
  row('stream', '--field-separator', '-i /a -o /out', '"fieldSeparator":"\\t"', { typed: '--field-separator tab' }),
  row('stream', '--reduce-separator', '-i /a -o /out', '"reduceSeparator":","', { typed: '--reduce-separator ,' }),
  row('stream', '--key-fields', '-i /a -o /out', '"keyFields":2', { typed: '--key-fields 2' }),
  row('stream', '--partition-fields', '-i /a -o /out', '"partitionFields":2', { typed: '--partition-fields 2' }),
  row('stream', '--order', '-i /a -o /out', '"order":["1","2nr"]', { typed: '--order 1 --order 2nr' }),
  row('stream', '--define', '-i /a -o /out', '"env":{"a_b":"c"}', { typed: '--define a.b=c' }),
  row('stream', '--overwrite', '-i /a -o /out', '"overwrite":true', { typed: '--overwrite' }),
  row('stream', '--name', '-i /a -o /out', '"name":"called"', { typed: '--name called' }),
  row('stream', '--memory', '-i /a -o /out', '"memoryBytes":16777216', { typed: '--memory 16MiB' }),
  row('stream', '--cpu', '-i /a -o /out', '"cpu":3', { typed: '--cpu 3' }),
  row('stream', '--task-timeout', '-i /a -o /out', '"taskTimeoutMs":60000', { typed: '--task-timeout 1m' }),
  row('stream', '--queue', '-i /a -o /out', '"queue":"etl"', { typed: '--queue etl' }),
  row('stream', '--priority', '-i /a -o /out', '"priority":7', { typed: '--priority 7' }),
  row('stream', '--attempts', '-i /a -o /out', '"attemptsMax":2', { typed: '--attempts 2' }),
  row('stream', '--force', '-i /a -o /out --overwrite', '"force":true'),
  row('stream', '--env', '-i /a -o /out', '"env":{"A":"1","B":"2"}', { typed: '--env A=1 --env B', given: { env: { B: '2' } } }),
  row('stream', '--detach', '-i /a -o /out', /"run.signal",false.*"out":"j0000000000000001\\n"/),
  row('jobs', '--limit', '', '{"limit":7}', { typed: '-n 7' }),
  row('jobs', '--limit', '', 'j0000000000000002', { typed: '-n 1', gone: true }),
  row('jobs', '--running', '', 'j0000000000000001', { gone: true }),
  row('job', '--tasks', 'last', /0\.0\.0.*done/),
  row('job', '--follow', 'last', 'job j0000000000000001', { typed: '-f' }),
  row('job publish', '--output', 'last', '["job.publish","/b"', { typed: '-o /b' }),
  row('job publish', '--despite-check', 'last', '"despiteCheck":true'),
  row('job publish', '--overwrite', 'last -o /b', '"overwrite":true'),
  row('job publish', '--force', 'last -o /b --overwrite', '"force":true'),
  row('logs', '--task', 'last', '"stage":0,"task":3', { typed: '--task 0.3' }),
  row('logs', '--follow', 'last', '"follow":true', { typed: '-f' }),
  row('logs', '--server', '', /"servers.log","text".*it has started port=1/, { typed: '--server text' }),
  row('logs', '--lines', '--server namenode', '"last":3', { typed: '-n 3' }),
  row('decommission', '--wait', 'n1', 'clusterStatus', {
    given: ticking,
    prepare: mill => {
      mill.services = ['decommissioned']
    },
  }),
  row('maintenance', '--for', 'n1', '"forMs":3600000', { typed: '--for 1h' }),
  row('maintenance', '--end', 'n1', 'nodes.recommission'),
  row('forget', '--force', 'n1', '["nodes.forget","n1",{"force":true'),
  row('maintenance', '--wait', 'n1 --for 1h', 'clusterStatus', {
    given: ticking,
    prepare: mill => {
      mill.services = ['maintenance']
    },
  }),
  row('config', '--servers', '', 'datanode text', { given: { disk: await disk() } }),
  row('loglevel', '--server', 'debug', 'servers.get', { typed: '--server text' }),
  row('balance', '--threshold', '', '"threshold":5', { typed: '--threshold 5' }),
  row('balance', '--bandwidth', '', '"bytesPerSecond":1048576', { typed: '--bandwidth 1MiB' }),
  row('balance', '--status', '', '["nodes.balance"', { gone: true }),
  row('balance', '--stop', '', 'nodes.stopBalance'),
  row('balance', '--wait', '', 'nodes.balanceStatus', {
    given: ticking,
    prepare: mill => {
      mill.balanceRuns = 2
    },
  }),
  row('fsck', '--files', '', '"healthy":true', { given: ticking }),
  row('fsck', '--blocks', '', 'healthy (2 of 3)', { given: ticking }),
  row('fsck', '--locations', '', '"locations":true', { given: ticking }),
  row('safemode wait', '--timeout', '', 'after 5.0 s', {
    typed: '--timeout 5s', given: ticking,
    prepare: mill => {
      mill.safe = true
    },
  }),
  row('namenode lost', '--release', '', 'releaseLost'),
  row('namenode recover', '--dry-run', '', '"dryRun":true'),
  row('namenode recover', '--epoch', '', '"epoch":9', { typed: '--epoch 9' }),
  row('namenode recover', '--backup', '', '"backup":"/b"', { typed: '--backup b' }),
  row('namenode recover', '--dir', '', '"dir":["/n"]', { typed: '--dir /n' }),
  row('up', '--detach', '', '"detach":true'),
  row('up', '--gateway', '', '"gateway":true'),
  row('console', '--port', '', '"port":9', { typed: '--port 9' }),
  row('console', '--at', '', 'http://g:1', { typed: '--at http://g:1' }),
  row('console', '--print', '', '"browser"', { gone: true, given: { terminal: { columns: 100 } } }),
  // Options of every command.
  row('', '--json', 'ls /d', '"path\\":\\"/d/a.txt'),
  row('', '--quiet', 'run p.ts', 'left out', { gone: true }),
  row('', '--color', 'ls /d', /u001b\[1m/, { typed: '--color always' }),
  row('', '--cluster', 'ls /d', '"cluster":"there:1"', { typed: '--cluster there:1' }),
  row('', '--secret-file', 'ls /d', '"secretFile":"/s"', { typed: '--secret-file /s' }),
  row('', '--home', 'ls /d', '"home":"/h"', { typed: '--home /h' }),
  row('', '--config', 'ls /d', '"config":"/c"', { typed: '--config /c' }),
]

async function traceOf({ command, flag, words, prepare, given }: Row, typed: string): Promise<string> {
  const mill = cluster()
  prepare?.(mill)
  asked.calls = []
  ticks = 0
  const flags: unknown[] = []
  const line = `${command} ${words} ${typed}`.split(' ').filter(word => word !== '')
  const { code, out, err } = await runFake(mill, line, { disk: await disk(), ...given, onFlags: all => flags.push(all) })
  return JSON.stringify({ calls: mill.calls, asked: asked.calls, code, out, err, flags: command === '' || flag === '--dir' ? flags : [] })
}

test.each(rows.map(each => [`${each.command} ${each.words} ${each.typed ?? each.flag}`.trim(), each] as const))(
  'gristmill %s',
  async (_, each) => {
    const [without, withIt] = [await traceOf(each, ''), await traceOf(each, each.typed ?? each.flag)]
    const has = (trace: string): boolean => (typeof each.shown === 'string' ? trace.includes(each.shown) : each.shown.test(trace))
    expect(withIt).not.toContain('"code":2,')
    expect(withIt).not.toContain('"code":70,')
    expect(has(without), without).toBe(each.gone === true)
    expect(has(withIt), withIt).toBe(each.gone !== true)
  },
)

/** Options that say in words what a command does without them. */
const defaults = ['test --exists']

/** Options that are settings are passed on under the name of the setting; effects of settings have tests of their own. */
test('options of servers become settings of the same name', async () => {
  const seen: string[] = []
  const all = await loadAll()
  for (const { spec } of all) {
    for (const option of spec.options) {
      const flag = flagNameOf(option.flags)
      const name = settingNames.find(one => flagOf(one) === flag && option.about.includes(settings[one].fallback.replaceAll('`', '')))
      if (name === undefined || !['namenode', 'datanode', 'gateway', 'serve', 'up'].includes(spec.name)) continue
      const example = option.flags.includes('<size>')
        ? (name === 'inlineBytes' ? '8KiB' : '64MiB')
        : option.flags.includes('<time>')
          ? '1m'
          : option.flags.includes('<n>')
            ? '3'
            : 'text'
      let options: Readonly<Record<string, unknown>> = {}
      const program = buildProgram({
        version: '', commands: all, globals,
        execute: async (_spec, _operands, given) => {
          options = given
        },
        columns: () => 80, writeOut() {}, writeErr() {},
      })
      await program.parseAsync([spec.name, flag, example], { from: 'user' }).catch(() => {})
      // A value that is refused also shows that the option is read.
      if (example !== 'text') expect(options[name], `${spec.name} ${flag}`).toBeDefined()
      seen.push(`${spec.name} ${flag}`)
    }
  }
  expect(seen.length).toBeGreaterThan(30)
  const looked = new Set([...defaults, ...seen, ...rows.map(({ command, flag }) => `${command} ${flag}`)])
  const named = (path: string, spec: CommandSpec): string[] => [
    ...spec.options.filter(({ hidden }) => !hidden).map(option => `${path} ${flagNameOf(option.flags)}`),
    ...(spec.verbs ?? []).flatMap(verb => named(`${path} ${verb.name}`, verb)),
  ]
  const wanted = [...globals.map(option => ` ${flagNameOf(option.flags)}`), ...all.flatMap(({ spec }) => named(spec.name, spec))]
  expect(wanted.filter(each => !looked.has(each)), 'options without a row in this table').toEqual([])
})

const flagNameOf = (flags: string): string => /--[\w-]+/.exec(flags)![0]
