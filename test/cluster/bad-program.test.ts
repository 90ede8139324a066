// Faulty programs and job inputs: each gives a helpful message and exit code; processes stay healthy, no partial output is visible.

import { spawn } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { until } from '../kit/cluster.ts'
import { area, bin, cluster, listing, local, mill, program, watchCluster } from './watched.ts'

watchCluster()

/** Runs a job over `text` that must fail; afterwards nothing is published, and only the input is left in the area. */
async function failing(body: string, text = 'good\nbad\n', ...more: string[]) {
  const file = await program('program.ts', body)
  await cluster.ok(['put', '--format', 'lines', '-', `${area}/in`], text)
  const result = await mill('run', file, '--input', `${area}/in`, '--output', `${area}/out`, '--attempts', '2', ...more)
  expect(await listing()).toBe(`${area}:\nin\n`)
  return result
}

describe('programs', () => {
  test('a program that is not there', async () => {
    await cluster.ok(['put', '-', `${area}/in`], 'x\n')
    const result = await mill('run', local('nope.ts'), '--input', `${area}/in`, '--output', `${area}/out`)
    expect([result.code === 0, result.stderr.includes('nope.ts')]).toEqual([false, true])
  })

  test('a program that does not compile shows the compiler\'s message with file and line', async () => {
    const result = await failing(`import { mapReduce } from 'gristmill'\nexport default mapReduce({\n  map(line) { const = 5 },\n})\n`)
    expect(result.code).toBe(65)
    expect(result.stderr).toMatch(/program\.ts:3:\d+/)
    expect(result.stderr).toContain('const = 5')
  })

  test('a program that imports what does not exist', async () => {
    const result = await failing(`import { nothing } from 'no-such-package'\nexport default nothing\n`)
    expect(result).toMatchObject({
      code: 65,
      stderr: expect.stringMatching(/no-such-package[\s\S]*program\.ts:1:\d+|program\.ts:1:\d+[\s\S]*no-such-package/),
    })
  })

  test('a program without a job in it', async () => {
    expect(await failing(`export const job = 5\n`)).toMatchObject({ code: 65, stderr: expect.stringContaining('default') })
  })

  test('a program that throws while it is loaded', async () => {
    expect(await failing(`throw new Error('at load')\nexport default 5\n`)).toMatchObject({
      code: 65, stderr: expect.stringContaining('at load'),
    })
  })

  test('a program that throws: the user\'s stack, the record\'s file and offset', async () => {
    const result = await failing([
      `import { mapReduce } from 'gristmill'`,
      `function check(line: string): void {`,
      `  if (line === 'bad') throw new RangeError('cannot grind ' + line)`,
      `}`,
      `export default mapReduce({ map(line: string, emit) { check(line); emit(line, 1) } })`,
    ].join('\n'))
    expect(result.code).toBe(1)
    expect(result.stderr).toContain('cannot grind bad')
    expect(result.stderr).toMatch(/check \(.*program\.ts:3:\d+\)/)
    expect(result.stderr).toMatch(/map \(.*program\.ts:5:\d+\)/)
    expect(result.stderr).toContain(`${area}/in, byte 5`)
  })

  test('a program that throws in reduce, and one that rejects', async () => {
    const reduce = await failing(
      `import { mapReduce } from 'gristmill'\nexport default mapReduce({\n  map(line: string, emit) { emit(line, 1) },\n  reduce() { throw new Error('in reduce') },\n})\n`,
    )
    expect(reduce).toMatchObject({ code: 1, stderr: expect.stringMatching(/in reduce[\s\S]*program\.ts:4:\d+/) })
    await cluster.ok(['rm', `${area}/in`])
    const reject = await failing(
      `import { mapReduce } from 'gristmill'\nexport default mapReduce({\n  async map(line: string) { await null; throw new Error('later') },\n})\n`,
    )
    expect(reject).toMatchObject({ code: 1, stderr: expect.stringMatching(/later[\s\S]*program\.ts:3:\d+/) })
  })

  test('a program that forgets a promise which rejects', async () => {
    const result = await failing(
      `import { mapReduce } from 'gristmill'\nexport default mapReduce({\n  map(_line: string) { void Promise.reject(new Error('forgotten')) },\n})\n`,
    )
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('forgotten') })
  })

  test('a program that exits', async () => {
    const result = await failing(`import { mapReduce } from 'gristmill'\nexport default mapReduce({ map() { process.exit(0) } })\n`)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/exit/) })
  })

  test('a program that never ends is stopped by the time limit', async () => {
    const result = await failing(
      `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map() { for (;;) {} } })\n`,
      'x\n', '--task-timeout', '2s',
    )
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/2\.0 s|2 s|2000 ms|longer/) })
  })

  test('a program that eats all memory, on the heap and beside it', async () => {
    const heap = await failing(
      `import { mapReduce } from 'gristmill'\nconst kept: unknown[] = []\nexport default mapReduce({ map() { for (;;) kept.push(new Array(1000).fill({})) } })\n`,
      'x\n', '--memory', '128MiB',
    )
    expect(heap).toMatchObject({ code: 1, stderr: expect.stringMatching(/memory/) })
    await cluster.ok(['rm', `${area}/in`])
    const buffers = await failing(
      `import { mapReduce } from 'gristmill'\nconst kept: Buffer[] = []\nexport default mapReduce({ async map() { for (;;) { kept.push(Buffer.alloc(8 << 20, 1)); await new Promise(resolve => setTimeout(resolve, 2)) } } })\n`,
      'x\n', '--memory', '128MiB',
    )
    expect(buffers).toMatchObject({ code: 1, stderr: expect.stringMatching(/memory/) })
  })

  test('an output that exists is refused before anything runs, and stays as it was', async () => {
    const file = await program(
      'p.ts',
      `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { emit(line, 1) } })\n`,
    )
    await cluster.ok(['put', '-', `${area}/in`], 'x\n')
    await cluster.ok(['mkdir', `${area}/out`])
    await cluster.ok(['put', '-', `${area}/out/precious`], 'keep')
    const result = await mill('run', file, '--input', `${area}/in`, '--output', `${area}/out`)
    expect(result).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(new RegExp(`${area}/out.*(exists|--overwrite)`)) })
    expect(await listing()).toBe(`${area}:\nin\nout\n\n${area}/out:\nprecious\n`)
  })

  test('an input that does not exist', async () => {
    const file = await program(
      'p.ts',
      `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { emit(line, 1) } })\n`,
    )
    const result = await mill('run', file, '--input', `${area}/nope`, '--output', `${area}/out`)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining(`${area}/nope`) })
    expect(await listing()).toBe(`${area}:\n`)
  })

  test('no input or no output given', async () => {
    const file = await program(
      'p.ts',
      `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { emit(line, 1) } })\n`,
    )
    const result = await mill('run', file)
    expect([result.code === 0, result.stderr]).toEqual([false, expect.stringMatching(/input|output/)])
  })
})

describe('records', () => {
  const lengths = `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { emit(String(line.length), 1) } })\n`

  test('lines longer than a block are read whole, each once', async () => {
    const file = await program('p.ts', lengths)
    const text = `${'a'.repeat(100)}\n${'b'.repeat(30_000)}\nshort\n${'c'.repeat(9_000)}\n`
    await cluster.ok(['put', '--format', 'lines', '--block-size', '4KiB', '-', `${area}/in`], text)
    await cluster.ok(['run', file, '--input', `${area}/in`, '--output', `${area}/out`])
    expect(
      (await cluster.ok(['cat', `${area}/out/part-*`]))
        .trim()
        .split('\n')
        .map(line => line.split('\t')[0])
        .sort(),
    ).toEqual(['100', '30000', '5', '9000'])
    expect(await cluster.ok(['cat', `${area}/in`])).toBe(text)
  })

  test('a line over the limit is an error with its offset', async () => {
    const result = await failing(lengths, `ok\n${'x'.repeat(17 * 1024 * 1024)}\n`)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining(`${area}/in`) })
    expect(result.stderr).toMatch(/\b3\b/)
  })

  test('bytes that are not UTF-8 are replaced and counted', async () => {
    const file = await program(
      'p.ts',
      `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { emit(line, 1) } })\n`,
    )
    expect(
      (await cluster.run(['put', '--format', 'lines', '-', `${area}/in`], Buffer.from([0x61, 0xff, 0x62, 0x0a, 0x63, 0x0a]))).code,
    ).toBe(0)
    const shown = await cluster.ok(['run', file, '--input', `${area}/in`, '--output', `${area}/out`])
    expect(shown).toMatch(/^warning: 1 record held bytes that are not UTF-8, read as U\+FFFD/m)
    expect((await cluster.ok(['cat', `${area}/out/part-*`])).trim().split('\n').sort()).toEqual(['a\ufffdb\t1', 'c\t1'])
  })
})

test('a job that is interrupted is killed, and publishes nothing', async () => {
  const file = await program('slow.ts', `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map() { for (;;) {} } })\n`)
  await cluster.ok(['put', '-', `${area}/in`], 'x\n')
  const child = spawn(process.execPath, [bin, 'run', file, '--input', `${area}/in`, '--output', `${area}/out`], {
    env: cluster.env, stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (bytes: Buffer) => { errors += bytes.toString() })
  await until('the job runs', async () => /map: 1 task\n/.test(errors))
  child.kill('SIGINT')
  expect(await new Promise(resolve => child.once('close', resolve))).toBe(130)
  expect(JSON.parse(await cluster.ok(['job', 'last', '--json']))).toMatchObject({ state: 'cancelled' })
  expect(await listing()).toBe(`${area}:\nin\n`)
})
