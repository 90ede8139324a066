// Models applied to rows: a logistic regression beside the same arithmetic in a bare loop, and an ONNX model beside a bare loop over its
// session with the same batches, where onnxruntime-node is installed. In one process and thread, in CPU time. `--quick`: a tenth of the
// rows.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onnx, predict, transformRow, type LogisticModel } from '../../src/ml/index.ts'
import { carsModel } from '../unit/src/ml/carsmodel.ts'

interface Car { readonly id: number; readonly displacement: number; readonly horsepower: number }

const count = process.argv.includes('--quick') ? 100_000 : 1_000_000
const batch = 256
const carOf = (id: number): Car => ({ id, displacement: 70 + id * 7919 % 385, horsepower: 46 + id * 104_729 % 184 })

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

async function measured(name: string, work: () => number | Promise<number>): Promise<{ readonly ms: number; readonly found: number }> {
  const from = cpuMs()
  const found = await work()
  const ms = cpuMs() - from
  console.log(`${name}: ${(ms * 1000 / count).toFixed(2)} µs of CPU a row`)
  return { ms, found }
}

function same(a: { readonly found: number }, b: { readonly found: number }): void {
  if (Math.abs(a.found - b.found) > 1e-6 * count) throw new Error(`the sums differ: ${a.found} and ${b.found}`)
}

async function logistic(): Promise<void> {
  const model: LogisticModel = {
    kind: 'logisticRegression', version: 1, columns: ['displacement', 'horsepower'], widths: [1, 1], label: 'american',
    classes: [false, true],
    coefficients: [0.0774, -0.0594], intercept: -3.71, rows: 392, loss: 0.3, iterations: 7, converged: true,
  }
  const bare = await measured('bare loop, logistic regression', () => {
    let sum = 0
    for (let i = 0; i < count; i++) {
      const car = carOf(i)
      sum += 1 / (1 + Math.exp(-(car.displacement * 0.0774 + car.horsepower * -0.0594 - 3.71)))
    }
    return sum
  })
  const own = await measured('transformRow', () => {
    let sum = 0
    for (let i = 0; i < count; i++) sum += transformRow<{ probability: number }>(model, carOf(i)).probability
    return sum
  })
  same(bare, own)
  if (predict(model, carOf(0)) === undefined) throw new Error('no prediction')
}

async function inference(): Promise<void> {
  const runtime = createRequire(import.meta.url)('onnxruntime-node')
  const dir = mkdtempSync(join(tmpdir(), 'gristmill-bench-'))
  try {
    writeFileSync(join(dir, 'cars.onnx'), carsModel)
    const session = await runtime.InferenceSession.create(join(dir, 'cars.onnx'), { intraOpNumThreads: 1, interOpNumThreads: 1 })
    const bare = await measured(`bare loop, ONNX, batches of ${batch}`, async () => {
      let sum = 0
      for (let from = 0; from < count; from += batch) {
        const cars = Array.from({ length: Math.min(batch, count - from) }, (_, i) => carOf(from + i))
        const data = new Float32Array(2 * cars.length)
        for (const [i, { displacement, horsepower }] of cars.entries()) data.set([displacement, horsepower], 2 * i)
        const { probabilities } = await session.run({ X: new runtime.Tensor('float32', data, [cars.length, 2]) }, ['probabilities'])
        for (let i = 0; i < cars.length; i++) sum += probabilities.data[2 * i + 1]
      }
      return sum
    })
    type Part = (rows: AsyncIterable<Car>, context: unknown) => AsyncIterable<Array<[Car, { probabilities: number[] }]>>
    const part = onnx<Car>({ mapPartitions: (fn: unknown) => ({ flatMap: () => fn }) } as never, {
      model: 'cars.onnx', inputs: { X: car => [car.displacement, car.horsepower] }, outputs: ['probabilities'], batch,
    }) as unknown as Part
    const rows = async function * (): AsyncGenerator<Car> { for (let i = 0; i < count; i++) yield carOf(i) }
    const own = await measured('onnx of a Dataset', async () => {
      let sum = 0
      for await (const scored of part(rows(), { asset: (name: string) => join(dir, name) }))
        for (const [, { probabilities }] of scored) sum += probabilities[1]!
      return sum
    })
    same(bare, own)
    console.log(`rate, beside the bare loop: ${(bare.ms / own.ms).toFixed(2)}`)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

await logistic()
try {
  createRequire(import.meta.url).resolve('onnxruntime-node')
  await inference()
} catch (error) {
  if ((error as { code?: unknown }).code !== 'MODULE_NOT_FOUND') throw error
  console.log('onnxruntime-node is not installed: inference is not measured (npm install --no-save onnxruntime-node)')
}
