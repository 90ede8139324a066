// Command specifications of group Files.

import { recordFormats } from '../../../src/base/formats.ts'
import { limits } from '../../../src/base/limits.ts'
import { parseBytes } from '../../../src/base/units.ts'
import { delimiterCode } from '../../../src/record/format.ts'
import { option, oneOf, whole, type CommandSpec, type CommandGroup } from '../spec.ts'

/** A delimiter as `delimiterCode` accepts it; `tab` and `\t` stand for a tab. */
export function parseDelimiter(text: string): string {
  const delimiter = text === 'tab' || text === '\\t' ? '\t' : text
  delimiterCode(delimiter)
  return delimiter
}

const replication = option('--replication <n>', "replicas of each block (default: the cluster's)", {
  parse: whole(1, limits.replicationMax),
})
const blockSize = option('--block-size <size>', 'largest block, for instance 64MiB (default: the cluster\'s)', { parse: parseBytes })
const cutAtRecords = recordFormats.filter(name => name !== 'bytes')
const format = option('--format <format>', `${cutAtRecords.join(', ')}: end blocks at records; bytes: do not (default: by extension)`, {
  parse: oneOf(...cutAtRecords, 'bytes'),
})
const delimiter = option(
  '--delimiter <character>',
  'csv: field separator, tab or \\t for a tab (default: detected from the first rows; for stdin: a comma)',
  { parse: parseDelimiter },
)
const overwrite = option('-f, --overwrite', 'replace existing files')
const preserve = option('-p, --preserve', 'keep modes and modification times, also of directories')
const recursive = option('-r, --recursive', 'include directories with their contents')
const recurse = option('-R, --recursive', 'apply to directories recursively')
const human = option('-h, --human', 'human-readable sizes: 1.5K, 12M')

const put: CommandSpec = {
  name: 'put', args: '<local...> <remote>', about: 'copy local files into the cluster',
  notes:
    '`-` as the only local name reads stdin. A remote name that ends in / is a directory, created if it is missing; files keep their names in it. The parent directory of any other new name must exist (mkdir -p).\n'
    + 'A file becomes visible when its last byte is durable on all its replicas; if the copy is interrupted before that, no file appears.\n'
    + 'Symbolic links are followed: their target is stored under the name of the link. `..` and `.` are stored under the real name of the directory.\n'
    + 'New files and directories get no more permissions than their source; a replaced file keeps its mode.',
  options: [
    recursive, overwrite, preserve, replication, blockSize, format, delimiter,
    option('--parallel <n>', 'files copied at the same time (default 4)', { parse: whole(1, 64) }),
  ],
  examples: [
    ['gristmill put access.log /logs/', 'copy a file into a directory'],
    ["gristmill put --delimiter ';' sales.csv /sales/", 'CSV with a given separator'],
    ['gristmill put -r speeches /speeches', 'copy a directory'],
    ['zcat day.gz | gristmill put --format lines - /logs/day.log', 'store the output of a program'],
  ],
  load: () => import('../commands/put.ts'),
}

const get: CommandSpec = {
  name: 'get', args: '<remote...> [local]', about: 'copy files out of the cluster',
  notes:
    'Without a local name, files are copied to the current directory; `-` writes to stdout. A local file appears complete or not at all; a device or a pipe is written to directly.\n'
    + 'New files and directories get no more permissions than their source; a replaced file keeps its mode.',
  options: [recursive, overwrite, preserve],
  examples: [
    ['gristmill get /logs/access.log .', 'copy a file to the current directory'],
    [`gristmill get '/words/part-*' results`, 'several files into a directory'],
  ],
  load: () => import('../commands/get.ts'),
}

const cat: CommandSpec = {
  name: 'cat', args: '<path...>', about: 'write files to stdout',
  options: [],
  examples: [[`gristmill cat '/words/part-*' | sort | head`, 'all parts of an output']],
  load: () => import('../commands/cat.ts'),
}

const ls: CommandSpec = {
  name: 'ls', args: '[path...]', about: 'list directories',
  notes:
    'Without a path, lists /. The long format shows mode, replicas, owner, group, size, time and name. With --json, one object a line.',
  options: [
    option('-l, --long', 'mode, replicas, owner, group, size, time'),
    option('-a, --all', 'include names that begin with a dot'),
    option('-R, --recursive', 'list subdirectories recursively'),
    option('-d, --directory', 'list a directory itself, not its contents'),
    human, option('-t, --by-time', 'newest first'), option('-S, --by-size', 'largest first'),
    option('-r, --reverse', 'reverse the order'),
  ],
  examples: [
    ['gristmill ls -lh /logs', 'long format with human-readable sizes'],
    [`gristmill ls --json -R / | jq .path`, 'every path of the cluster'],
  ],
  load: () => import('../commands/ls.ts'),
}

const mkdir: CommandSpec = {
  name: 'mkdir', args: '<path...>', about: 'create directories',
  options: [
    option('-p, --parents', 'create missing parents; no error if the directory exists'),
    option('-m, --mode <mode>', 'permissions, in octal'),
  ],
  examples: [['gristmill mkdir -p /logs/2026/11', 'with parents']],
  load: () => import('../commands/mkdir.ts'),
}

const rm: CommandSpec = {
  name: 'rm', args: '<path...>', about: 'remove files and directories',
  notes:
    'Removed entries go to the trash and stay there for one day (gristmill trash --help); their space is freed when they leave the trash.\n'
    + 'Entries in the trash or below /.gristmill are deleted permanently.',
  options: [recursive, option('-f, --force', 'no error for missing files'), option('--skip-trash', 'delete permanently, at once')],
  examples: [
    ['gristmill rm -r /words', 'a directory with its contents'],
    ['gristmill rm --skip-trash /huge.csv', 'delete permanently and free the space'],
  ],
  load: () => import('../commands/rm.ts'),
}

const mv: CommandSpec = {
  name: 'mv', args: '<from...> <to>', about: 'rename, or move into a directory',
  notes: 'If two sources would get the same name, the second is refused, also with -f. Entries replaced by -f are deleted permanently.',
  options: [overwrite],
  examples: [['gristmill mv /logs/today /logs/2026-11-22', 'rename'], [`gristmill mv '/in/*.csv' /done`, 'move into a directory']],
  load: () => import('../commands/mv.ts'),
}

const cp: CommandSpec = {
  name: 'cp', args: '<from...> <to>', about: 'copy within the cluster',
  options: [recursive, overwrite, preserve, replication, blockSize],
  examples: [['gristmill cp -r /words /words-kept', 'copy a directory']],
  load: () => import('../commands/cp.ts'),
}

const du: CommandSpec = {
  name: 'du', args: '[path...]', about: 'show the bytes below directories',
  options: [
    option('-s, --summarize', 'one total for each path'), human,
    option('-d, --depth <n>', 'show directories down to this depth', { parse: whole(0) }),
    option('--stored', 'count the bytes of all replicas'), option('-c, --total', 'a grand total at the end'),
  ],
  examples: [['gristmill du -sh /logs', 'one number for a directory']],
  load: () => import('../commands/du.ts'),
}

const df: CommandSpec = {
  name: 'df', args: '', about: 'show the space on the datanodes',
  options: [human],
  examples: [['gristmill df -h', 'capacity, used and free space']],
  load: () => import('../commands/df.ts'),
}

const stat: CommandSpec = {
  name: 'stat', args: '<path...>', about: 'show the metadata of files and directories',
  notes:
    '--printf takes %n name, %s bytes, %F type, %a mode in octal, %A mode in letters, %U owner, %G group, %r replicas, %b blocks, %o block size, %y time, %Y seconds since 1970, %% and \\n, \\t.',
  options: [option('-b, --blocks', 'locations of each block'), option('-c, --printf <format>', 'print each path in this format')],
  examples: [
    ['gristmill stat --blocks /logs/access.log', 'blocks with their datanodes'],
    [`gristmill stat -c '%s %n' '/logs/*'`, 'sizes and names'],
  ],
  load: () => import('../commands/stat.ts'),
}

/** Rewrites the traditional form `head -3`; the value of another option is not changed. */
const numbered = (words: string[]): string[] =>
  words.flatMap((word, i) => (/^-\d+$/.test(word) && !words[i - 1]?.startsWith('-') ? ['-n', word.slice(1)] : [word]))

const head: CommandSpec = {
  name: 'head', args: '<path...>', about: 'print the beginning of files',
  options: [
    option('-n, --lines <n>', 'lines (default 10)', { parse: whole(0) }),
    option('-c, --bytes <size>', 'bytes instead of lines', { parse: parseBytes }),
  ],
  examples: [['gristmill head -n 3 /logs/access.log', 'the first three lines; only this part of the file is read']],
  rewrite: numbered, load: () => import('../commands/head.ts'),
}

const tail: CommandSpec = {
  name: 'tail', args: '<path...>', about: 'print the end of files',
  options: [
    option('-n, --lines <n>', 'lines (default 10); +N: from line N on', {
      parse: text => (text.startsWith('+') ? -whole(1)(text.slice(1)) : whole(0)(text)),
    }),
    option('-c, --bytes <size>', 'bytes instead of lines', { parse: parseBytes }),
  ],
  examples: [['gristmill tail -c 1k /logs/access.log', 'the last KiB']],
  rewrite: numbered, load: () => import('../commands/tail.ts'),
}

const count: CommandSpec = {
  name: 'count', args: '<path...>', about: 'count directories, files and bytes below paths',
  options: [human, option('-q, --quotas', 'first the quota of the path: names, names left, bytes, bytes left')],
  examples: [['gristmill count /logs', 'columns: directories, files, bytes, path']],
  load: () => import('../commands/count.ts'),
}

const findWords = new Set(['name', 'iname', 'path', 'type', 'size', 'mtime', 'newer', 'maxdepth', 'mindepth', 'empty', 'print0'])

const find: CommandSpec = {
  name: 'find', args: '[path...]',
  about: 'find paths that match all tests',
  notes:
    'Tests are written with one dash or two. Sizes and ages take + (more than) and - (less than).\n'
    + 'Globs are * ? [a-z] [!a] {a,b} {1..3} **, as everywhere; here * matches a leading dot too, and in --path a slash.',
  options: [
    option('--name <glob>', 'the last part of the path matches'),
    option('--iname <glob>', 'like --name, case-insensitive'),
    option('--path <glob>', 'the whole path matches'),
    option('--type <type>', 'f: files, d: directories', { parse: oneOf('f', 'd') }),
    option('--size <size>', 'for instance +1m, -64k, 100c'),
    option('--mtime <days>', 'days since the last modification, for instance +7, -1'),
    option('--newer <path>', 'modified later than this path'),
    option('--maxdepth <n>', 'descend at most this many levels', { parse: whole(0) }),
    option('--mindepth <n>', 'skip the levels above this one', { parse: whole(0) }),
    option('--empty', 'empty files and directories'),
    option('--print0', 'separate paths with NUL, for xargs -0'),
  ],
  examples: [
    [`gristmill find /logs -name '*.log' -size +1m`, 'logs larger than 1 MiB'],
    [`gristmill find / -type d -empty`, 'empty directories'],
  ],
  rewrite: words => words.map(word => (word.startsWith('-') && findWords.has(word.slice(1)) ? `-${word}` : word)),
  load: () => import('../commands/find.ts'),
}

const setrep: CommandSpec = {
  name: 'setrep', args: '<replicas> <path...>', about: 'change the replication of files',
  options: [recurse, option('-w, --wait', 'wait until every block has this many replicas')],
  examples: [['gristmill setrep -R -w 3 /logs', 'three replicas; wait for them']],
  load: () => import('../commands/setrep.ts'),
}

const checksum: CommandSpec = {
  name: 'checksum', args: '<path...>',
  about: 'print CRC32C checksums of files, independent of their block size',
  options: [option('--local', 'checksum local files; - is stdin')],
  examples: [
    ['gristmill checksum /logs/access.log', "computed from block checksums, without reading the file"],
    ['gristmill checksum --local access.log', 'checksum of the local copy'],
  ],
  load: () => import('../commands/checksum.ts'),
}

const touch: CommandSpec = {
  name: 'touch', args: '<path...>',
  about: 'create empty files, or set modification times',
  options: [
    option('-c, --no-create', 'do not create files'),
    option('-d, --date <date>', 'set this time instead of the current time, for instance 2026-11-22T10:00'),
  ],
  examples: [['gristmill touch /flags/ready', 'an empty file']],
  load: () => import('../commands/touch.ts'),
}

const chmod: CommandSpec = {
  name: 'chmod', args: '<mode> <path...>', about: 'change permissions',
  options: [recurse],
  examples: [
    ['gristmill chmod -R go-w,a+rX /shared', 'symbolic modes as in chmod(1)'],
    ['gristmill chmod 640 /logs/access.log', 'octal mode'],
  ],
  rewrite: words => words.map(word => (/^-[rwxXt]+(,|$)/.test(word) ? `a${word}` : word)),
  load: () => import('../commands/chmod.ts'),
}

const chown: CommandSpec = {
  name: 'chown', args: '<owner> <path...>', about: 'change owner, owner:group, or :group',
  options: [recurse],
  examples: [['gristmill chown -R ada:analysts /shared', 'owner and group']],
  load: () => import('../commands/chown.ts'),
}

export const files: CommandGroup = {
  title: 'Files',
  commands: [put, get, cat, ls, mkdir, rm, mv, cp, du, df, stat, head, tail, count, find, setrep, checksum, touch, chmod, chown],
}
