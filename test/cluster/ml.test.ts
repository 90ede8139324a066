// Machine learning on a cluster of real processes: the programs of the guide print what it shows, and a model on real data is learnt, saved
// with its lineage, and gives the same answers to a row as to a Dataset.

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { KeyValueTable } from '../../client/serving/table.ts'
import { transformRow } from '../../src/ml/index.ts'
import { localDisk } from '../../src/world/disk.ts'
import type { TestCluster } from '../kit/cluster.ts'
import { root } from '../tidy/source.ts'
import { carsModel } from '../unit/src/ml/carsmodel.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-ml-'))
  cluster = await startClusterHere({ datanodes: 2 })
})

afterAll(async () => {
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

const cat = async (path: string): Promise<string> => cluster.ok(['cat', `${path}/part-*`])

/** The first table of a key-value store. */
async function stored(path: string): Promise<KeyValueTable> {
  const file = join(dir, `table${path.replaceAll('/', '-')}`)
  const [name] = /part-00000\S*/.exec(await cluster.ok(['ls', path]))!
  await cluster.ok(['get', `${path}/${name}`, file])
  return KeyValueTable.open(path, await localDisk.openRead(file))
}

test('the programs of the guide give the outputs that it shows', async () => {
  const guide = await readFile(join(root, 'docs/guide/machine-learning.md'), 'utf8')
  const block = (form: string): string => new RegExp(`^\`\`\`${form}\\n([^]*?)^\`\`\`$`, 'm').exec(guide)![1]!
  await writeFile(join(dir, 'mails.jsonl'), block('json mails.jsonl'))
  await writeFile(join(dir, 'clicks.log'), block('text clicks\\.log'))
  for (const name of ['spam', 'buy'])
    await writeFile(join(dir, `${name}.ts`), new RegExp(`^\`\`\`ts\\n(// ${name}\\.ts\\n[^]*?)^\`\`\`$`, 'm').exec(guide)![1]!)
  const commands = [...guide.matchAll(/^```sh\n([^]*?)^```$/gm)].flatMap(match => match[1]!.trim().split('\n'))
  const printed: string[] = []
  for (const line of commands) {
    const words = line.split(' ').slice(1).map(word => word.replaceAll("'", ''))
    printed.push(await cluster.ok(words.map(word => (/^\w+\.(ts|jsonl|log)$/.test(word) ? join(dir, word) : word))))
  }
  expect(printed).toContain(block('text marked'))
  const lineage = await cluster.ok(['lineage', '/spam/model'])
  expect(lineage).toContain('/mails.jsonl')
  const model = JSON.parse(await cat('/spam/model'))
  expect(transformRow(model, { text: 'free money' })).toMatchObject({ prediction: true })
  const answers = await stored('/buy/answers')
  for (const user of ['ann', 'cleo']) expect(guide).toContain(`\`${answers.get(Buffer.from(user))!.bytes.toString()}\``)
  expect(answers.get(Buffer.from('ann'))!.bytes.toString()).toBe('["millet"]')
})

const hasOnnx = existsSync(join(root, 'node_modules/onnxruntime-node'))
if (!hasOnnx)
  process.stderr.write('onnxruntime-node is not installed: the guide\'s ONNX model is not run (npm install --no-save onnxruntime-node)\n')

// because the package has 290 MB and is not installed with the others
test.skipIf(!hasOnnx)('the ONNX model of the guide is applied by executors', async () => { // because of the size of its package
  const guide = await readFile(join(root, 'docs/guide/machine-learning.md'), 'utf8')
  await writeFile(join(dir, 'cars.ts'), /^```ts\n(\/\/ cars\.ts\n[^]*?)^```$/m.exec(guide)![1]!)
  await writeFile(join(dir, 'cars.onnx'), carsModel)
  await cluster.ok(['put', '-', '/cars.csv'], /^```csv cars\.csv\n([^]*?)^```$/m.exec(guide)![1]!)
  await cluster.ok(['run', join(dir, 'cars.ts'), '--input', '/cars.csv', '--output', '/scored'])
  expect(await cat('/scored')).toBe(/^```text scored\n([^]*?)^```$/m.exec(guide)![1]!)
})

test('late: a model of flights is better than a guess, and its scores are served by key', async () => {
  await cluster.ok(['put', join(root, 'node_modules/vega-datasets/data/flights-5k.json'), '/flights.json'])
  const told = await cluster.ok(['run', join(root, 'docs/examples/datasets/late.ts'), '-i', '/flights.json', '-o', '/late'])
  const [, flights, right, onTime] = /(\d+) flights of other days: ([\d.]+) % right; ([\d.]+) % were on time/.exec(told)!
  expect(Number(flights)).toBeGreaterThan(300)
  expect(Number(right)).toBeGreaterThanOrEqual(Number(onTime) - 1)
  const { stages } = JSON.parse(await cat('/late/model'))
  expect(stages.at(-1)).toMatchObject({ kind: 'logisticRegression', converged: true })
  // Flights are later in the evening, and where others have been late.
  const [, evening, lately] = stages.at(-1).coefficients as number[]
  expect(evening).toBeGreaterThan(0)
  expect(lately).toBeGreaterThan(0)
  const scores = await stored('/late/scores')
  const { late, flights: ofHour } = JSON.parse(scores.get(Buffer.from('ORD 18'))!.bytes.toString())
  expect(late).toBeGreaterThan(0)
  expect(ofHour).toBeGreaterThan(1)
})
