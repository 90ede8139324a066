// Suggestions for a command or a verb that does not exist: the nearest name, or the command that does what other tools call so. Also the
// few words of other tools that are accepted as commands (`aliasOf`).

import { editDistance } from '../../src/base/nearest.ts'
import { quoteName } from '../../src/base/quote.ts'

/** Words of HDFS, Hadoop and other tools, in lower case, and the commands that do the same. */
const commandsOfOthers: Readonly<Record<string, string>> = {
  list: 'ls', dir: 'ls', ll: 'ls -l', lsr: 'ls -R', copy: 'cp', move: 'mv', rename: 'mv', delete: 'rm', del: 'rm',
  remove: 'rm', rmr: 'rm -r', rmdir: 'rm -r', unlink: 'rm', touchz: 'touch', create: 'touch', text: 'cat',
  more: 'cat', less: 'cat', upload: 'put', copyfromlocal: 'put', movefromlocal: 'put', import: 'put',
  download: 'get', copytolocal: 'get', export: 'get', expunge: 'trash empty --older-than 1d', restore: 'trash restore',
  undelete: 'trash restore', createsnapshot: 'snapshot create', deletesnapshot: 'snapshot rm',
  snapshotdiff: 'snapshot diff', setquota: 'quota set', setspacequota: 'quota set', clrquota: 'quota clear',
  useradd: 'user add', adduser: 'user add', userdel: 'user rm', users: 'user ls',
  getfattr: 'xattr get', setfattr: 'xattr set', chgrp: 'chown', jar: 'run', submit: 'run', exec: 'run', ps: 'jobs',
  log: 'logs', cancel: 'kill', start: 'up', stop: 'down', balancer: 'balance', dfsadmin: 'report', nodes: 'report',
  info: 'status', top: 'status', appendtofile: 'append', merge: 'getmerge', truncate: 'put -f', exists: 'test', mb: 'mkdir',
  rb: 'rm -r', sync: 'put -r', env: 'config', settings: 'config', getconf: 'config', new: 'init', man: 'help', version: '--version',
  // HDFS.
  distcp: 'cp -r', movetolocal: 'get', deletefile: 'rm', renamesnapshot: 'snapshot create', lssnapshottabledir: 'snapshot ls',
  allowsnapshot: 'snapshot create', disallowsnapshot: 'snapshot rm', secondarynamenode: 'namenode backup', format: 'namenode',
  haadmin: 'help hdfs', refreshnodes: 'decommission', mover: 'balance', diskbalancer: 'balance', oiv: 'fsck', httpfs: 'gateway',
  journalnode: 'namenode backup', zkfc: 'help hdfs', usage: 'help', verifymeta: 'fsck',
  // YARN, MapReduce and Spark.
  jps: 'status', restart: 'up', 'spark-submit': 'run',
  application: 'jobs', app: 'jobs', applicationattempt: 'job', container: 'job', resourcemanager: 'namenode', nodemanager: 'datanode',
  historyserver: 'jobs', timelineserver: 'jobs', streaming: 'stream', node: 'report', queue: 'queues', rmadmin: 'report',
  // Programs of a shell.
  grep: 'run gristmill:grep', egrep: 'run gristmill:grep', sort: 'run gristmill:sort', uniq: 'run gristmill:distinct', wc: 'count',
  join: 'run gristmill:join', wordcount: 'run gristmill:wordcount',
  // S3.
  presign: 'help s3', signurl: 'help s3', website: 'help s3', rsync: 'put -r', configure: 'config',
  'create-bucket': 'mkdir', 'delete-bucket': 'rm -r', 'list-buckets': 'ls', 'head-bucket': 'test -d', 'head-object': 'stat',
  'list-objects': 'ls', 'list-objects-v2': 'ls', 'put-object': 'put', 'get-object': 'get', 'copy-object': 'cp', 'delete-object': 'rm',
  'delete-objects': 'rm', 'list-object-versions': 'help s3', 'put-bucket-versioning': 'help s3', 'create-multipart-upload': 'put',
}

/** Commands of other tools that are two words, in lower case without dashes, where the first alone means something else or nothing. */
const pairsOfOthers: Readonly<Record<string, string>> = {
  'dfsadmin safemode': 'safemode', 'dfsadmin setquota': 'quota set', 'dfsadmin setspacequota': 'quota set',
  'dfsadmin clrquota': 'quota clear', 'dfsadmin clrspacequota': 'quota clear', 'dfsadmin refreshnodes': 'decommission',
  'dfsadmin savenamespace': 'namenode backup', 'dfsadmin fetchimage': 'namenode backup', 'dfsadmin allowsnapshot': 'snapshot create',
  'dfsadmin disallowsnapshot': 'snapshot rm', 'dfsadmin printtopology': 'report', 'dfsadmin setbalancerbandwidth': 'balance',
  'namenode format': 'namenode', 'job list': 'jobs', 'job kill': 'kill', 'job logs': 'logs', 'job submit': 'run', 'job status': 'job',
  'job counter': 'job', 'application list': 'jobs', 'application kill': 'kill', 'application status': 'job', 'app list': 'jobs',
  'app kill': 'kill', 'app status': 'job', 'queue list': 'queues', 'queue status': 'queues', 'node list': 'report',
  'node status': 'report', 'service start': 'up', 'daemon start': 'up', 'daemon stop': 'down',
}

/** Programs without a word behind them. */
const programsAlone: Readonly<Record<string, string>> = {
  yarn: 'jobs', mapred: 'jobs', hdfs: 'help hdfs', hadoop: 'help hdfs', dfs: 'help hdfs', fs: 'help hdfs', aws: 'help s3', s3: 'help s3',
  s3api: 'help s3', s3cmd: 'help s3', gsutil: 'help s3',
}

/** Each word and pair of words that is answered with a command. */
export const wordsOfOthers: readonly string[] = [commandsOfOthers, pairsOfOthers, programsAlone].flatMap(table => Object.keys(table))

/** Programs whose name comes before the command: `hdfs dfs -ls`, `aws s3 ls`. */
const programsOfOthers = new Set(['hdfs', 'hadoop', 'dfs', 'fs', 'mapred', 'yarn', 'gristmill', 'aws', 's3', 's3api', 's3cmd', 'gsutil'])

const toolsOfS3 = new Set(['aws', 's3', 's3cmd', 'gsutil'])

/**
 * A copy of a tool for S3, by its operands: an address stands for a path of the cluster, other operands for local files. undefined for
 * other commands, and for copies without an address.
 */
function copyOfS3(words: readonly string[]): string | undefined {
  const at = words.findIndex(word => !toolsOfS3.has(word.toLowerCase()))
  const command = words[at]?.toLowerCase()
  if (at < 1 || (command !== 'cp' && command !== 'mv' && command !== 'sync')) return undefined
  const operands = words.slice(at + 1).filter(word => word === '-' || !word.startsWith('-'))
  const isAddress = (word: string): boolean => /^(?:s3|s3a|gs):\/\//i.test(word)
  const addresses = operands.filter(isAddress)
  if (addresses.length === 0) return undefined
  const within = command === 'mv' ? 'mv' : 'cp'
  const name = addresses.length > 1 ? within : isAddress(operands[0]!) ? operands.at(-1) === '-' ? 'cat' : 'get' : 'put'
  if (command === 'sync') return `${name} -r`
  // The value of an option may be among more of them.
  if (operands.length !== 2) return name
  const recursive = name !== 'mv' && words.some(word => /^(?:--recursive|-r|-R)$/.test(word)) ? ' -r' : ''
  const paths = operands.map(word => quoteName(isAddress(word) ? word.replace(/^[^:]*:\/\/[/]*/, '/') : word))
  return `${name}${recursive} ${(name === 'cat' ? paths.slice(0, 1) : paths).join(' ')}`
}

/** Verbs of other tools, and those of ours that may do the same; never one that does more, as `trash empty` for `trash rm`. */
const verbsOfOthers: Readonly<Record<string, readonly string[]>> = {
  list: ['ls'], show: ['get', 'ls'], status: ['get'], delete: ['rm', 'clear', 'drop'], remove: ['rm', 'clear', 'drop'],
  rm: ['clear', 'drop'], unset: ['clear'], purge: ['empty'], clear: ['empty'], expunge: ['empty'],
  add: ['create', 'set'], new: ['create'], put: ['set'], compare: ['diff'], on: ['enter'], off: ['leave'],
  exit: ['leave'], dump: ['get'], repair: ['recover'],
}

/** Verbs that are commands of their own. */
const verbsElsewhere: Readonly<Record<string, string>> = {
  'queue ls': 'queues', 'queue list': 'queues', 'queues ls': 'queues', 'job queues': 'queues',
  'job ls': 'jobs', 'job list': 'jobs', 'job kill': 'kill', 'job cancel': 'kill', 'job logs': 'logs', 'job log': 'logs',
  'job run': 'run', 'job show': 'job', 'job status': 'job', 'job submit': 'run', 'namenode start': 'namenode',
  'namenode run': 'namenode', 'namenode stop': 'down', 'namenode report': 'report', 'namenode status': 'status',
  'namenode safemode': 'safemode', 'snapshot restore': 'cp -r',
}

/**
 * ` (did you mean ls?)` for the words of a command line that names no command; empty if there is no suggestion.
 */
export function commandSuggestion(words: readonly string[], names: readonly string[]): string {
  const copy = copyOfS3(words)
  if (copy !== undefined) return asked(copy)
  const plain = words.map(word => word.replace(/^-{1,2}/, '').toLowerCase())
  const first = plain.findIndex(word => !programsOfOthers.has(word))
  const word = plain[first]
  if (word === undefined) return asked(own(programsAlone, plain[0] ?? ''))
  const pair = own(pairsOfOthers, `${word} ${plain[first + 1] ?? ''}`)
  // A first word that is a command of gristmill came behind the name of another program, which has commands of the same name.
  return asked(pair ?? (names.includes(word) ? word : own(commandsOfOthers, word) ?? nearestCommand(word, names)))
}

/** Suggestion for a verb of a command. */
export function verbSuggestion(command: string, verb: string, verbs: readonly string[]): string {
  const word = verb.toLowerCase()
  const elsewhere = own(verbsElsewhere, `${command} ${word}`)
  if (elsewhere !== undefined) return asked(`gristmill ${elsewhere}`)
  return asked(own(verbsOfOthers, word)?.find(one => verbs.includes(one)) ?? nearestCommand(word, verbs))
}

const asked = (suggestion: string | undefined): string => (suggestion === undefined ? '' : ` (did you mean ${suggestion}?)`)

const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined => (Object.hasOwn(table, key) ? table[key] : undefined)

/**
 * Words of other tools that are accepted as they are, because they take the same operands and do the same; the command says its own name
 * for it. Words in lower case.
 */
const aliases: Readonly<Record<string, readonly string[]>> = {
  copyfromlocal: ['put'], copytolocal: ['get'], touchz: ['touch'], text: ['cat'], appendtofile: ['append'], lsr: ['ls', '-R'],
  dus: ['du', '-s'], mb: ['mkdir'],
}

/** The words of gristmill for a command of another tool; undefined if it is none, or not exactly the same. */
export const aliasOf = (word: string): readonly string[] | undefined => own(aliases, word.toLowerCase())

/** `sl` for `ls`. */
const isSwapped = (word: string, name: string): boolean =>
  word.length === name.length && word !== name
  && Array.from(word).some((_, i) => name === `${word.slice(0, i)}${word[i + 1] ?? ''}${word[i]!}${word.slice(i + 2)}`)

/**
 * Stricter than `nearest` of src/base, for the short names of commands. Two swapped letters are near, and a doubled one (`lss`); else the
 * distance is 1, or 2 for a word of more than four letters, at least three letters stay, and the first one is the same or was left out or
 * added: `ln` is not `ls`, `mount` not `count`, and `nosuch` not `touch`.
 */
function nearestCommand(word: string, names: readonly string[]): string | undefined {
  const single = word.replace(/(.)\1/, '$1')
  const swapped = names.find(name => isSwapped(word, name) || single === name)
  if (swapped !== undefined) return swapped
  const isLike = (name: string): boolean => word[0] === name[0] || word.slice(1) === name || word === name.slice(1)
  const distanceMax = word.length > 4 ? 2 : 1
  const close = names.filter(isLike).map(name => ({ name, distance: editDistance(word, name) }))
    .filter(({ name, distance }) => distance <= distanceMax && Math.max(word.length, name.length) - distance >= 3)
    .sort((a, b) => a.distance - b.distance)[0]
  return close?.name
}
