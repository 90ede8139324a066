// Batch inference with an ONNX model: a logistic regression of scikit-learn 1.9.1 over displacement and power of the cars of vega-datasets,
// exported by skl2onnx 1.20.0. Its figures are those of scikit-learn.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { onnx, type OnnxOptions, type OnnxOutputs, type OnnxValue } from '../../../../src/ml/index.ts'
import { complete, type Car } from './cars.ts'
import { carsModel } from './carsmodel.ts'

const has = ((): boolean => {
  try {
    return createRequire(import.meta.url).resolve('onnxruntime-node') !== ''
  } catch {
    return false
  }
})()
if (!has) process.stderr.write('onnxruntime-node is not installed: batch inference is not tested (npm install --no-save onnxruntime-node)\n')

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-onnx-'))
  await writeFile(join(dir, 'cars.onnx'), carsModel)
  await writeFile(join(dir, 'bad.onnx'), 'no model')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

type Part = (rows: AsyncIterable<Car>, context: unknown) => AsyncIterable<Array<[Car, OnnxOutputs]>>

/** Scores the rows as one task does. */
async function scored(
  rows: readonly Car[], options: Partial<OnnxOptions<Car>> = {}, context: object = {},
): Promise<Array<[Car, OnnxOutputs]>> {
  const data = { mapPartitions: (fn: Part) => ({ flatMap: () => fn }) } as never
  const given = { model: 'cars.onnx', inputs: { X: (car: Car) => [car.Displacement, car.Horsepower!] }, ...options }
  const part = onnx<Car>(data, given) as unknown as Part
  const asset = (name: string): string => join(dir, name)
  return (await Array.fromAsync(part((async function * () { yield * rows })(), { asset, ...context }))).flat()
}

// because the package has 290 MB and is not installed with the others; the test says so when it is skipped.
const withPackage = test.skipIf(!has) // because of its size

withPackage('rows are joined with the probabilities of scikit-learn, in batches of any size', async () => {
  for (const batch of [1, 2, 64]) {
    const found = await scored(complete.slice(0, 3), { batch })
    expect(found.map(([car]) => car)).toEqual(complete.slice(0, 3))
    for (const [i, probability] of [0.9999197721481323, 0.9999654293060303, 0.9998751878738403].entries())
      expect((found[i]![1]['probabilities'] as number[])[1]).toBeCloseTo(probability, 6)
    expect(found.map(([, { label }]) => label)).toEqual([1n, 1n, 1n])
  }
  expect(Object.keys((await scored(complete.slice(0, 1), { outputs: ['label'] }))[0]![1])).toEqual(['label'])
})

withPackage.each<[Partial<OnnxOptions<Car>>, string]>([
  [{ inputs: {} }, 'the model cars.onnx has the input X, which onnx was not given; its inputs are X (float32 ["",2])'],
  [{ inputs: { X: () => [1, 2], Y: () => 1 } }, 'the model cars.onnx has no input Y'],
  [{ outputs: ['score'] }, 'the model cars.onnx has no output score; its outputs are label, probabilities'],
  [{ inputs: { X: () => [1, 2, 3] } }, 'the input X of cars.onnx has 3 numbers, and the model wants 2, for the row {"Name":"chevrolet'],
  [{ inputs: { X: car => [1, car.Name as never] } }, 'the input X of cars.onnx holds chevrolet chevelle malibu, and the model wants float32'],
  [{ model: 'bad.onnx' }, 'the model bad.onnx cannot be loaded'],
])('inputs that the model does not have are named: %#', async (options, message) => {
  await expect(scored(complete.slice(0, 1), options)).rejects.toThrow(message)
})

/** A package of the same interface, whose model gives back the one input that it has. */
const echo = `
exports.Tensor = class { constructor(type, data, dims) { Object.assign(this, { type, data, dims }) } }
exports.InferenceSession = { async create(path) {
  const { type, shape } = JSON.parse(require('node:fs').readFileSync(path, 'utf8'))
  return { inputNames: ['x'], outputNames: ['y'], inputMetadata: [{ name: 'x', type, shape }], run: async ({ x }) => ({ y: x }) }
} }`

test('a value arrives as it is in the type of the input, or the row is named', async () => {
  const main = join(dir, 'echo', 'main.js')
  await mkdir(join(dir, 'echo', 'node_modules', 'onnxruntime-node'), { recursive: true })
  await writeFile(join(dir, 'echo', 'node_modules', 'onnxruntime-node', 'index.js'), echo)
  const argv = vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', main])
  const echoed = async (type: string, value: OnnxValue): Promise<unknown> => {
    await writeFile(join(dir, `${type}.json`), JSON.stringify({ type, shape: ['', 1] }))
    const found = await scored(complete.slice(0, 2), { model: `${type}.json`, inputs: { x: () => value } })
    expect(found[1]![1]['y']).toEqual(found[0]![1]['y'])
    return found[0]![1]['y']
  }
  try {
    const kept: Array<[string, OnnxValue, unknown]> = [
      ['uint8', 255, 255], ['int8', -128, -128], ['int16', -32_768, -32_768], ['uint32', 4_294_967_295, 4_294_967_295], ['bool', true, 1],
      ['int64', -5, -5n], ['int64', 2n ** 63n - 1n, 2n ** 63n - 1n], ['float32', 0.1, Math.fround(0.1)], ['float32', Infinity, Infinity],
      ['float64', 1e300, 1e300], ['float32', NaN, NaN], ['string', 'a', 'a'],
    ]
    for (const [type, value, found] of kept) expect(await echoed(type, value)).toBe(found)
    const lost: Array<[string, OnnxValue]> = [
      ['uint8', 256], ['uint8', -1], ['int8', 128], ['int16', 32_768], ['uint16', 65_536], ['int32', 2 ** 31], ['uint32', -1],
      ['int64', 2n ** 63n], ['uint64', -1n], ['float32', 1e39],
    ]
    for (const [type, value] of lost)
      await expect(echoed(type, value)).rejects.toThrow(`x of ${type}.json holds ${String(value)}, which is out of the range of ${type}`)
    await expect(echoed('int32', 1.5)).rejects.toThrow('holds 1.5, and the model wants int32')
    await expect(echoed('float16', 1)).rejects.toThrow('has the type float16, which onnx does not know')
  } finally {
    argv.mockRestore()
  }
})

test('a part of the outputs is that part, also from a runtime that names outputs by their places', async () => {
  const main = join(dir, 'places', 'main.js')
  await mkdir(join(dir, 'places', 'node_modules', 'onnxruntime-node'), { recursive: true })
  await writeFile(join(dir, 'places', 'node_modules', 'onnxruntime-node', 'index.js'), `
exports.Tensor = class { constructor(type, data, dims) { Object.assign(this, { type, data, dims }) } }
const names = ['a', 'b', 'c']
exports.InferenceSession = { create: async () => ({
  inputNames: ['x'], outputNames: names, inputMetadata: [{ name: 'x', type: 'float32', shape: ['', 1] }],
  run: async ({ x }, asked) => Object.fromEntries(names.filter(name => asked.includes(name)).map((name, i) =>
    [names[i], { dims: x.dims, data: x.data.map(value => value * 10 ** names.indexOf(name)) }])),
}) }`)
  const argv = vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', main])
  try {
    await writeFile(join(dir, 'places.onnx'), '')
    const of = async (...outputs: string[]) =>
      (await scored(complete.slice(0, 2), { model: 'places.onnx', inputs: { x: () => 1 }, outputs, batch: 1 })).map(([, found]) => found)
    for (let round = 0; round < 2; round++) {
      expect(await of('c')).toEqual([{ c: 100 }, { c: 100 }])
      expect(await of('c', 'b')).toEqual([{ b: 10, c: 100 }, { b: 10, c: 100 }])
      expect(await of('b', 'a')).toEqual([{ a: 1, b: 10 }, { a: 1, b: 10 }])
    }
  } finally {
    argv.mockRestore()
  }
})

test('what becomes of a model is told before its native code runs: it is loaded, applied, and given a batch', async () => {
  const main = join(dir, 'echo', 'main.js')
  const argv = vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', main])
  try {
    await writeFile(join(dir, 'told.json'), JSON.stringify({ type: 'float32', shape: ['', 1] }))
    const notes: string[] = []
    await scored(complete.slice(0, 3), { model: 'told.json', inputs: { x: () => 1 }, batch: 2 }, {
      [Symbol.for('gristmill.doing')]: (of: string, text: () => string) => { notes.push(`${of}: ${text().replace(/\{.*/, 'ROW')}`) },
    })
    expect(notes).toEqual([
      'task: the model told.json is loaded', 'task: the model told.json is applied by the task',
      'batch: the model told.json has been given batch 1 of the task, rows from ROW', 'batch: the model told.json is applied by the task',
      'batch: the model told.json has been given batch 2 of the task, rows from ROW', 'batch: the model told.json is applied by the task',
    ])
  } finally {
    argv.mockRestore()
  }
})

test('without the package the error says how to install it, and options that cannot be meant are refused before', async () => {
  const argv = vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', '/nowhere/main.js'])
  try {
    await expect(scored(complete.slice(0, 1), { model: 'other.onnx' })).rejects.toThrow('npm install onnxruntime-node, where gristmill is installed')
  } finally {
    argv.mockRestore()
  }
  await expect(scored([], { batch: 0 })).rejects.toThrow('batch of onnx is 0')
  await expect(scored([], { inputs: { X: 5 as never } })).rejects.toThrow('the input X of onnx is a function of a row')
})
