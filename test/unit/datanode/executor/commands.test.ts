// Commands of map and reduce tasks, with real processes: bytes pass unchanged in both directions without a deadlock, and a command that
// fails is reported with the reason.

import { expect, test } from 'vitest'
import { mapped, reduced, sh } from './commandkit.ts'

const lines = (count: number, of: (i: number) => string): string[] => {
  const pieces: string[] = []
  for (let i = 0; i < count; i += 1000) pieces.push(Array.from({ length: Math.min(1000, count - i) }, (_, j) => `${of(i + j)}\n`).join(''))
  return pieces
}

const strange = Buffer.concat([
  Buffer.from('plain\n\n\r\nwith\rreturns\r\n\0zero\0\n'), Buffer.from([0xff, 0xfe, 0x80, 0x0a, 0xc3, 0x28, 0x0a]), Buffer.from('tab\t\ttabs\t\n\tkey\n'),
])

test('all bytes pass a command without a shuffle unchanged, in the order of the input', async () => {
  const { output, error } = await mapped({ argv: ['cat'] }, [[strange], [strange.subarray(0, 7), strange.subarray(7)]])
  expect(error).toBe(undefined)
  expect(output).toEqual(Buffer.concat([strange, strange]))
})

test('a command that ends without a newline gets one, so that the lines of the next one begin anew', async () => {
  expect((await mapped({ argv: ['printf', 'a\\nb'] }, [['x\n'], ['y\n']])).output.toString()).toBe('a\nb\na\nb\n')
  expect((await mapped({ argv: ['printf', 'k\\tb'] }, [['x\n'], ['y\n']], true)).pairs).toEqual([['k', 'b'], ['k', 'b']])
})

test('a line of 40 MB passes where nothing is shuffled, and is refused where it would be a record of the shuffle', async () => {
  const piece = Buffer.alloc(1_000_000, 'x')
  const long = Array.from({ length: 40 }, () => piece)
  const { output, error } = await mapped({ argv: ['cat'] }, [[...long, '\n']])
  expect([output.length, error]).toEqual([40_000_001, undefined])
  expect((await mapped({ argv: ['cat'] }, [long], true)).error?.message).toMatch(/^a command has written a line of more than 16777216 bytes/)
})

test('a command writes while it reads: neither waits for the other for ever', async () => {
  const input = lines(100_000, i => `line ${i} ${'x'.repeat(40)}`)
  const { output } = await mapped({ argv: ['cat'] }, [input])
  expect(output.equals(Buffer.from(input.join('')))).toBe(true)
  // Writes far more than it has read, and reads all of it only afterwards.
  const late = await mapped({ argv: sh('seq 1 300000; wc -l') }, [input])
  expect(late.output.toString().trimEnd().split('\n').at(-1)!.trim()).toBe('100000')
  expect(late.output.toString().split('\n')).toHaveLength(300_002)
})

test('a command need not read its input, or not all of it', async () => {
  const input = lines(100_000, i => `line ${i}`)
  expect((await mapped({ argv: ['head', '-1'] }, [input, ['second\n']])).output.toString()).toBe('line 0\nsecond\n')
  expect((await mapped({ argv: sh('exec <&-; sleep 0.1; echo done') }, [input])).output.toString()).toBe('done\n')
  // Ends before anything is read from it: its output must not be lost.
  for (let i = 0; i < 20; i++) expect((await mapped({ argv: ['echo', 'there'] }, [['x\n']])).output.toString()).toBe('there\n')
})

test('a command that fails is reported with its exit code or signal and the end of its stderr, all of which is in the log', async () => {
  const failed = await mapped({ argv: sh('cat >/dev/null; for i in $(seq 1 500); do echo "line $i of trouble" >&2; done; exit 3') }, [['x\n']])
  expect(failed.error?.message).toMatch(/^the mapper "cat >\/dev\/null; for .*" ended with exit code 3; its stderr ends with: …line \d+ of trouble\n(?:.*\n)+line 500 of trouble$/)
  expect(failed.error!.message.length).toBeLessThan(2500)
  expect(failed.log.split('\n')).toHaveLength(501)
  expect((await mapped({ argv: sh('kill -KILL $$') }, [['x\n']])).error?.message)
    .toBe('the mapper "kill -KILL $$" was ended by SIGKILL, perhaps because memory had run out; it wrote nothing to stderr')
  expect((await reduced({ argv: ['false'] }, [])).error?.message).toBe('the reducer "false" ended with exit code 1; it wrote nothing to stderr')
  // A reader that stops is no failure, its exit code is.
  expect((await mapped({ argv: sh('head -1 >/dev/null; exit 9') }, [lines(50_000, i => `${i}`)])).error?.message)
    .toMatch(/ended with exit code 9/)
})

test('a program that cannot be started is reported with what to do', async () => {
  type Files = ReadonlyArray<readonly [string, string]>
  const of = async (argv: readonly [string, ...string[]], files?: Files): Promise<string | undefined> =>
    (await mapped({ argv, ...files && { files } }, [['x\n']])).error?.message
  expect(await of(['nowhere', '-x'])).toBe(
    'the mapper "nowhere -x" could not be started on datanode datanode-1: there is no program nowhere in its PATH, /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; send it along (--file nowhere), install it on the datanodes, or set --env PATH; it wrote nothing to stderr',
  )
  expect(await of(['/etc/passwd'])).toMatch(/: \/etc\/passwd is not executable; set its permission \(chmod \+x\)/)
  expect(await of(['a.sh'], [['a.sh', '#!/bin/sh\r\necho x\r\n']])).toMatch(/: the first line of a\.sh ends with CR LF, so that its interpreter is not found/)
  expect(await of(['./a.py'], [['a.py', '#!/no/python\n']])).toMatch(/: the interpreter that the first line of a\.py names is not there: #!\/no\/python/)
  expect(await of(sh('nowhere'))).toMatch(/ended with exit code 127, as shells do for a program that is not found; send it along/)
  expect(await of(sh('/etc/passwd'))).toMatch(/ended with exit code 126, as shells do for a file that is not executable/)
  expect(await of(['echo', 'x'.repeat(3_000_000)])).toMatch(/its arguments and its environment are too long/)
})

test('a process that keeps the output open after its command fails the task, unless it writes to another place', async () => {
  // Before and after the time for which stderr, which it keeps open too, is waited for.
  for (const heldMs of [300, 700]) {
    const held = await mapped({ argv: sh('sleep 60 & echo partial'), heldMs }, [['x\n']])
    expect(held.error?.message).toMatch(/has ended, but a process that it left running keeps its output open; let the command wait for it \(wait\)/)
  }
  const free = await mapped({ argv: sh('sleep 2 >/dev/null & echo all'), heldMs: 300 }, [['x\n']])
  expect([free.error, free.output.toString()]).toEqual([undefined, 'all\n'])
})

test('lines of the reporter count and tell the status, and are not in the log with the others', async () => {
  const script = [
    'reporter:counter:Temperature,Missing,2', 'reporter:counter:Temperature,Missing,3', 'reporter:counter:a,b,c,-1', 'reporter:status:half way',
    'reporter:counter:broken', 'reporter: nothing', 'ordinary', 'reporter:counter:last,one,1',
  ].map(line => `printf '%s\\n' '${line}' >&2`).join('; ')
  const cut = `printf rep >&2; sleep 0.05; printf 'orter:counter:cut,up,7' >&2`
  const { counters, log, error } = await mapped({ argv: sh(`${script}; ${cut}`) }, [['x\n']])
  expect(error).toBe(undefined)
  expect(counters).toEqual({ 'Temperature.Missing': 5, 'a.b,c': -1, 'last.one': 1, 'cut.up': 7 })
  expect(log).toBe('status: half way\nreporter:counter:broken\nreporter: nothing\nordinary\n')
})

test('key and value of a line are cut at a separator; a line without one is all key, and no value', async () => {
  const input = ['a\tb\tc\nalone\n\n\tempty key\ntrailing\t\n']
  expect((await mapped({ argv: ['cat'] }, [input], true)).pairs)
    .toEqual([['a', 'b\tc'], ['alone', null], ['', null], ['', 'empty key'], ['trailing', '']])
  expect((await mapped({ fields: { keyFields: 2 } }, [input], true)).pairs)
    .toEqual([['a\tb', 'c'], ['alone', null], ['', null], ['\tempty key', null], ['trailing\t', null]])
  expect((await mapped({ fields: { separator: '::', keyFields: 2 } }, [['1::2::3::4\n1::2\n']], true)).pairs)
    .toEqual([['1::2', '3::4'], ['1::2', null]])
  // Each byte is a character, in whatever pieces the bytes come.
  const bytes = Array.from(strange, (_, i) => strange.subarray(i, i + 1))
  expect((await mapped({}, [bytes], true)).pairs).toEqual((await mapped({}, [[strange]], true)).pairs)
  expect((await mapped({}, [[strange]], true)).pairs[5]).toEqual(['\xff\xfe\x80', null])
})

test('keys in an order of fields carry what is compared', async () => {
  const order = [{ first: 2, last: 2, numeric: true, reverse: false }, { first: 1, numeric: false, reverse: false }]
  expect((await mapped({ fields: { keyFields: 2, order } }, [['b\t10x\tv\nc\t-.5\tv\nd\n']], true)).pairs)
    .toEqual([[[[1, 2, '10', ''], 'b\t10x', 'b\t10x'], 'v'], [[[-1, 0, '', '4~'], 'c\t-.5', 'c\t-.5'], 'v'], [[[0], 'd', 'd'], null]])
  expect((await reduced({}, [[[10, 'b', 'b\t10x'], ['v']]])).output.toString()).toBe('b\t10x\tv\n')
})

test('a combiner gets the lines of a map task in the order of their keys, and its output takes their place', async () => {
  const sum = sh(`awk -F '\\t' '$1 != k { if (NR > 1) print k "\\t" n; k = $1; n = 0 } { n += $2 } END { if (NR) print k "\\t" n }'`)
  const input = lines(20_000, i => `key${i % 7}\t1`)
  const { pairs, error } = await mapped({ argv: ['cat'], combine: sum }, [input], true)
  expect(error).toBe(undefined)
  expect(pairs).toEqual(Array.from({ length: 7 }, (_, k) => [`key${k}`, String(Math.floor((20_000 - k + 6) / 7))]))
  expect((await mapped({ argv: ['cat'], combine: ['false'] }, [['a\n']], true)).error?.message).toMatch(/^the combiner "false" ended with exit code 1/)
})

test('a reducer gets a line for each value, in order, also of a key with more values than fit in the pipe', async () => {
  const many = Array.from({ length: 100_000 }, (_, i) => `value ${i}`)
  const { output } = await reduced({ argv: ['cat'] }, [['a', ['1', null]], ['b\xff', many], ['c', ['']]])
  expect(output.toString('latin1')).toBe(`a\t1\na\n${many.map(value => `b\xff\t${value}\n`).join('')}c\t\n`)
  expect((await reduced({ argv: ['cat'], fields: { joiner: '=' } }, [['a', ['1', null]]])).output.toString()).toBe('a=1\na\n')
  expect((await reduced({}, [['a', ['1']]])).output.toString()).toBe('a\t1\n')
  expect((await reduced({ argv: ['head', '-2'] }, [['a', many]])).output.toString()).toBe('a\tvalue 0\na\tvalue 1\n')
  // It runs for an empty partition, too.
  expect((await reduced({ argv: ['wc', '-l'] }, [])).output.toString().trim()).toBe('0')
})

test('aggregate folds the values of each key by the function that the key names', async () => {
  const { output, error } = await reduced({ aggregates: true }, [
    ['DoubleValueSum:d', ['0.5', '1e1']], ['LongValueMax:m', ['3', '-9', '11']], ['LongValueMin:m', ['3', '-9', '11']],
    ['LongValueSum:a:b', ['9007199254740993', ' 1 ', '+1']], ['StringValueMax:s', ['b', 'c', 'a']], ['StringValueMin:s', ['b', null]],
    ['UniqValueCount:u', ['x', 'y', 'x']],
  ])
  expect(error).toBe(undefined)
  expect(output.toString()).toBe('d\t10.5\nm\t11\nm\t-9\na:b\t9007199254740995\ns\tc\ns\t\nu\t2\n')
  expect((await reduced({ aggregates: true }, [['word', ['1']]])).error?.message)
    .toMatch(/^the mapper wrote the key word, and aggregate takes FUNCTION:KEY with one of LongValueSum, /)
  expect((await reduced({ aggregates: true }, [['LongValueSum:a', ['1.5']]])).error?.message)
    .toBe('aggregate was given the value 1.5, which is not a whole number; correct the mapper')
})

test('the working directory is private, with the files of the run; a shipped program is executable, and found before others', async () => {
  const files = [
    ['ls', '#!/bin/sh\ncat lib.txt; test -x tool && echo tool; test -x lib.txt || echo no program; pwd; ./tool\n'],
    ['lib.txt', 'from the library\n'], ['tool', '#!/bin/sh\necho "tool in $PWD"; echo x > left', true],
  ] as const
  const { output, error } = await mapped({ argv: ['ls'], files }, [['x\n'], ['y\n']])
  expect(error).toBe(undefined)
  const [library, tool, plain, directory, within] = output.toString().split('\n')
  expect([library, tool, plain]).toEqual(['from the library', 'tool', 'no program'])
  expect(directory).toMatch(/\/gristmill-command-\w+\/job-1\.0\.3\.1$/)
  expect(within).toBe(`tool in ${directory}`)
  expect((await mapped({ argv: sh('tool'), files }, [['x\n']])).output.toString()).toMatch(/^tool in /)
})

test("the environment has the names of Hadoop Streaming and the run's variables, and nothing else", async () => {
  const env = { COLOR: 'red', PATH: '/opt/bin:/usr/bin:/bin', TMPDIR: '/mine' }
  const { output } = await mapped({ argv: ['env'], env }, [['x\n'], ['longer\n']])
  const found = output.toString().trimEnd().split('\n')
    .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const)
  const second = Object.fromEntries(found.slice(found.length / 2))
  const { HOME: home, PWD: cwd, TMPDIR: temporary, PATH: path, ...rest } = second
  expect([home, temporary, path]).toEqual([cwd, `${cwd}/tmp`, `${cwd}:/opt/bin:/usr/bin:/bin`])
  expect(rest).toEqual({
    COLOR: 'red', mapreduce_job_id: 'job-1', mapred_job_id: 'job-1', mapreduce_task_id: 'task_job-1_m_000003',
    mapred_tip_id: 'task_job-1_m_000003',
    mapreduce_task_attempt_id: 'attempt_job-1_m_000003_1', mapred_task_id: 'attempt_job-1_m_000003_1', mapreduce_task_ismap: 'true',
    mapred_task_is_map: 'true', mapreduce_task_partition: '3', mapred_task_partition: '3', mapreduce_job_reduces: '2',
    mapred_reduce_tasks: '2',
    mapreduce_job_user_name: 'ada', user_name: 'ada', mapreduce_input_fileinputformat_inputdir: '/in', mapred_input_dir: '/in',
    mapreduce_output_fileoutputformat_outputdir: '/out', mapred_output_dir: '/out', mapreduce_job_local_dir: cwd, job_local_dir: cwd,
    stream_map_output_field_separator: '\t', stream_num_map_output_key_fields: '1', stream_reduce_input_field_separator: '\t',
    mapreduce_map_input_file: '/in/file-1', map_input_file: '/in/file-1', mapreduce_map_input_start: '0', map_input_start: '0',
    mapreduce_map_input_length: '7', map_input_length: '7',
  })
})
