// Batch inference with an ONNX model: a logistic regression of scikit-learn 1.9.1 over displacement and power of the cars of vega-datasets,
// exported by skl2onnx 1.20.0. Its figures are those of scikit-learn.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { onnx, type OnnxOptions, type OnnxOutputs } from '../../../../src/ml/index.ts'
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
async function scored(rows: readonly Car[], options: Partial<OnnxOptions<Car>> = {}): Promise<Array<[Car, OnnxOutputs]>> {
  const data = { mapPartitions: (fn: Part) => ({ flatMap: () => fn }) } as never
  const given = { model: 'cars.onnx', inputs: { X: (car: Car) => [car.Displacement, car.Horsepower!] }, ...options }
  const part = onnx<Car>(data, given) as unknown as Part
  return (await Array.fromAsync(part((async function * () { yield * rows })(), { asset: (name: string) => join(dir, name) }))).flat()
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
