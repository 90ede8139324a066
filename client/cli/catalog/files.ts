// The commands on files and directories, as the command line offers them.

import { limits } from '../../../src/base/limits.ts'
import { parseBytes } from '../../../src/base/units.ts'
import { delimiterCode } from '../../../src/record/format.ts'
import { option, oneOf, whole, type CommandSpec, type CommandGroup } from '../spec.ts'

/** As delimiterCode has it; a tab can be written out. */
export function parseDelimiter(text: string): string {
  const delimiter = text === 'tab' || text === '\\t' ? '\t' : text
  delimiterCode(delimiter)
  return delimiter
}

const replication = option('--replication <n>', "replicas of each block (default: the cluster's)", {
  parse: whole(1, limits.replicationMax),
})
const blockSize = option('--block-size <size>', 'largest block, for instance 64MiB (default: the cluster\'s)', { parse: parseBytes })
const format = option('--format <format>', 'lines, csv, jsonl: end blocks at records; bytes: do not (default: by extension)', {
  parse: oneOf('lines', 'csv', 'jsonl', 'bytes'),
})
const delimiter = option(
  '--delimiter <character>',
  'csv: what separates fields, tab or \\t for a tab (default: found from the first rows; of stdin: a comma)',
  { parse: parseDelimiter },
)
const overwrite = option('-f, --overwrite', 'replace what is there')
const preserve = option('-p, --preserve', 'keep modes and modification times, of directories too')
const recursive = option('-r, --recursive', 'directories with all that is below them')
const recurse = option('-R, --recursive', 'directories with all that is below them')
const human = option('-h, --human', 'sizes for people: 1.5K, 12M')

const put: CommandSpec = {
  name: 'put', args: '<local...> <remote>', about: 'copy local files into the cluster',
  notes:
    '`-` as the only local name reads stdin. A remote name that ends in / is a directory, made if it is missing; files get their own name in it. The directory of any other new name must be there (mkdir -p).\n'
    + 'A file becomes visible when its last byte is durable on all its replicas; before that, and if the copy is interrupted, there is nothing.\n'
    + 'Links are followed: what they lead to is put under their name; `..` and `.` are called what they lead to.\n'
    + 'New files and directories are no more public than what they are copied of; what is replaced keeps its mode.',
  options: [
    recursive, overwrite, preserve, replication, blockSize, format, delimiter,
    option('--parallel <n>', 'files at a time (default 4)', { parse: whole(1, 64) }),
  ],
  examples: [
    ['gristmill put access.log /logs/', 'copy a file into a directory'],
    ["gristmill put --delimiter ';' sales.csv /sales/", 'CSV whose separator is known'],
    ['gristmill put -r speeches /speeches', 'copy a directory'],
    ['zcat day.gz | gristmill put --format lines - /logs/day.log', 'store what a program writes'],
  ],
  load: () => import('../commands/put.ts'),
}

const get: CommandSpec = {
  name: 'get', args: '<remote...> [local]', about: 'copy files out of the cluster',
  notes:
    'Without a local name, files come into the current directory; `-` writes to stdout. A local file appears whole or not at all; a device or a pipe is written to as it is.\n'
    + 'New files and directories are no more public than what they are copied of; what is replaced keeps its mode.',
  options: [recursive, overwrite, preserve],
  examples: [
    ['gristmill get /logs/access.log .', 'copy a file here'],
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
    option('-a, --all', 'names that begin with a dot too'),
    option('-R, --recursive', 'what is below, too'),
    option('-d, --directory', 'a directory itself, not what is in it'),
    human, option('-t, --by-time', 'newest first'), option('-S, --by-size', 'largest first'),
    option('-r, --reverse', 'the other way round'),
  ],
  examples: [
    ['gristmill ls -lh /logs', 'sizes for people'],
    [`gristmill ls --json -R / | jq .path`, 'every path of the cluster'],
  ],
  load: () => import('../commands/ls.ts'),
}

const mkdir: CommandSpec = {
  name: 'mkdir', args: '<path...>', about: 'make directories',
  options: [
    option('-p, --parents', 'make missing parents; an existing directory is fine'),
    option('-m, --mode <mode>', 'permissions, in octal'),
  ],
  examples: [['gristmill mkdir -p /logs/2026/11', 'with parents']],
  load: () => import('../commands/mkdir.ts'),
}

const rm: CommandSpec = {
  name: 'rm', args: '<path...>', about: 'remove files and directories',
  notes:
    'What is removed goes to the trash, where it stays for a day (gristmill trash --help); its space comes back when it leaves the trash.\n'
    + 'What is in the trash, or below /.gristmill, is removed for good.',
  options: [recursive, option('-f, --force', 'missing files are fine'), option('--skip-trash', 'for good, at once')],
  examples: [
    ['gristmill rm -r /words', 'a directory with all that is below it'],
    ['gristmill rm --skip-trash /huge.csv', 'and its space comes back'],
  ],
  load: () => import('../commands/rm.ts'),
}

const mv: CommandSpec = {
  name: 'mv', args: '<from...> <to>', about: 'rename, or move into a directory',
  notes: 'Of two things that would get the same name, the second is refused, also with -f; what -f replaces is gone for good.',
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
  name: 'du', args: '[path...]', about: 'bytes below directories',
  options: [
    option('-s, --summarize', 'one total for each path'), human,
    option('-d, --depth <n>', 'show directories down to this depth', { parse: whole(0) }),
    option('--stored', 'count every replica'), option('-c, --total', 'a grand total at the end'),
  ],
  examples: [['gristmill du -sh /logs', 'one number for a directory']],
  load: () => import('../commands/du.ts'),
}

const df: CommandSpec = {
  name: 'df', args: '', about: 'space on the datanodes',
  options: [human],
  examples: [['gristmill df -h', 'capacity, used and free space']],
  load: () => import('../commands/df.ts'),
}

const stat: CommandSpec = {
  name: 'stat', args: '<path...>', about: 'all that is known of a file or directory',
  notes:
    '--printf takes %n name, %s bytes, %F type, %a mode in octal, %A mode in letters, %U owner, %G group, %r replicas, %b blocks, %o block size, %y time, %Y seconds since 1970, %% and \\n, \\t.',
  options: [option('-b, --blocks', 'where each block lies'), option('-c, --printf <format>', 'print this for each path')],
  examples: [
    ['gristmill stat --blocks /logs/access.log', 'blocks with their datanodes'],
    [`gristmill stat -c '%s %n' '/logs/*'`, 'sizes and names'],
  ],
  load: () => import('../commands/stat.ts'),
}

/** `head -3`, as people have always typed it; the value of another option is left alone. */
const numbered = (words: string[]): string[] =>
  words.flatMap((word, i) => (/^-\d+$/.test(word) && !words[i - 1]?.startsWith('-') ? ['-n', word.slice(1)] : [word]))

const head: CommandSpec = {
  name: 'head', args: '<path...>', about: 'the beginning of files',
  options: [
    option('-n, --lines <n>', 'lines (default 10)', { parse: whole(0) }),
    option('-c, --bytes <size>', 'bytes instead of lines', { parse: parseBytes }),
  ],
  examples: [['gristmill head -n 3 /logs/access.log', 'three lines; no more of the file is read than needed']],
  rewrite: numbered, load: () => import('../commands/head.ts'),
}

const tail: CommandSpec = {
  name: 'tail', args: '<path...>', about: 'the end of files',
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
  name: 'count', args: '<path...>', about: 'directories, files and bytes below paths',
  options: [human, option('-q, --quotas', 'before them the quota of the path itself: names, names left, bytes, bytes left')],
  examples: [['gristmill count /logs', 'a row of directories, files, bytes, path']],
  load: () => import('../commands/count.ts'),
}

const findWords = new Set(['name', 'iname', 'path', 'type', 'size', 'mtime', 'newer', 'maxdepth', 'mindepth', 'empty', 'print0'])

const find: CommandSpec = {
  name: 'find', args: '[path...]',
  about: 'paths below directories that pass every test',
  notes:
    'Tests are written with one dash or two. Sizes and ages take + (more than) and - (less than).\n'
    + 'Globs are * ? [a-z] [!a] {a,b} {1..3} **, as everywhere; here * matches a leading dot too, and in --path a slash.',
  options: [
    option('--name <glob>', 'the last part of the path matches'),
    option('--iname <glob>', 'the same, upper or lower case'),
    option('--path <glob>', 'the whole path matches'),
    option('--type <type>', 'f: files, d: directories', { parse: oneOf('f', 'd') }),
    option('--size <size>', 'for instance +1m, -64k, 100c'),
    option('--mtime <days>', 'days since the last change, for instance +7, -1'),
    option('--newer <path>', 'changed later than this file was'),
    option('--maxdepth <n>', 'not deeper than this', { parse: whole(0) }),
    option('--mindepth <n>', 'not above this', { parse: whole(0) }),
    option('--empty', 'files of no bytes, directories of no entries'),
    option('--print0', 'end each path with NUL, for xargs -0'),
  ],
  examples: [
    [`gristmill find /logs -name '*.log' -size +1m`, 'logs of more than a MiB'],
    [`gristmill find / -type d -empty`, 'empty directories'],
  ],
  rewrite: words => words.map(word => (word.startsWith('-') && findWords.has(word.slice(1)) ? `-${word}` : word)),
  load: () => import('../commands/find.ts'),
}

const setrep: CommandSpec = {
  name: 'setrep', args: '<replicas> <path...>', about: 'change how many replicas files have',
  options: [recurse, option('-w, --wait', 'until every block has them')],
  examples: [['gristmill setrep -R -w 3 /logs', 'three replicas, and wait']],
  load: () => import('../commands/setrep.ts'),
}

const checksum: CommandSpec = {
  name: 'checksum', args: '<path...>',
  about: 'CRC32C of files, whatever their block size',
  options: [option('--local', 'of local files, to compare; - is stdin')],
  examples: [
    ['gristmill checksum /logs/access.log', "without reading the file: from the blocks' checksums"],
    ['gristmill checksum --local access.log', 'of the local copy'],
  ],
  load: () => import('../commands/checksum.ts'),
}

const touch: CommandSpec = {
  name: 'touch', args: '<path...>',
  about: 'make empty files, or set modification times',
  options: [
    option('-c, --no-create', 'do not make files'),
    option('-d, --date <date>', 'this time instead of now, for instance 2026-11-22T10:00'),
  ],
  examples: [['gristmill touch /flags/ready', 'an empty file']],
  load: () => import('../commands/touch.ts'),
}

const chmod: CommandSpec = {
  name: 'chmod', args: '<mode> <path...>', about: 'change permissions',
  options: [recurse],
  examples: [['gristmill chmod -R go-w,a+rX /shared', 'letters as in chmod(1)'], ['gristmill chmod 640 /logs/access.log', 'or octal']],
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
