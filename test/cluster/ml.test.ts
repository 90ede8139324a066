// Machine learning on a cluster of real processes: the programs of the guide print what it shows, and a model on real data is learnt, saved
// with its lineage, and gives the same answers to a row as to a Dataset.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
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

/** Folder of the Python package magika, which ships a model. */
const magika = spawnSync('python3', ['-c', 'import importlib.util as u; print(u.find_spec("magika").submodule_search_locations[0])'])
const hasModel = hasOnnx && magika.status === 0
if (!hasModel)
  process.stderr.write('magika or onnxruntime-node is not installed: the files of a tree are not classified (pip install magika==1.0.3)\n')

test.skipIf(!hasModel)('each file of a tree gets the kind that the package of the model gives it', async () => { // because of their sizes
  const guide = await readFile(join(root, 'docs/guide/machine-learning.md'), 'utf8')
  await writeFile(join(dir, 'filetypes.ts'), /^```ts\n(\/\/ filetypes\.ts\n[^]*?)^```$/m.exec(guide)![1]!)
  const folder = 'magika/models/standard_v3_3'
  await cp(join(magika.stdout.toString().trim(), 'models/standard_v3_3'), join(dir, folder), { recursive: true })
  const tree = join(dir, 'tree')
  await mkdir(join(tree, 'a/b'), { recursive: true })
  const given: Record<string, Buffer | string> = {
    'a/main.ts': await readFile(join(root, 'src/base/paths.ts')), 'a/b/guide': guide,
    'a/b/package.json': await readFile(join(root, 'package.json')),
    'program.py': 'import os\n\ndef main():\n    for name in os.listdir("."):\n        print(name)\n\nmain()\n', 'packed': gzipSync(guide),
    'blank': ' '.repeat(5000), 'node': (await readFile(process.execPath)).subarray(0, 100_000),
    'framed': `${' '.repeat(3000)}${guide}${'\n'.repeat(9000)}`,
  }
  for (const [name, content] of Object.entries(given)) await writeFile(join(tree, name), content)
  await writeFile(join(tree, 'short'), 'x')
  await cluster.ok(['put', '-r', tree, '/tree'])
  await cluster.ok(['run', join(dir, 'filetypes.ts'), '--input', '/tree', '--output', '/kinds'])
  const found = (await cat('/kinds')).trim().split('\n').toSorted()
  expect(found.map(line => line.split(' ')[0])).toEqual(Object.keys(given).map(name => `/tree/${name}`).toSorted())
  expect(found).toEqual(expect.arrayContaining([expect.stringMatching(/main\.ts typescript 0\.9|main\.ts typescript 1/)]))
  const script = `
import magika, pathlib
for path in pathlib.Path('tree').rglob('*'):
    if path.is_file() and path.stat().st_size >= 8:
        found = magika.Magika().identify_path(path)
        if str(found.dl.label) != 'undefined': print(f'/{path} {found.dl.label} {found.score:.2f}')
`
  const theirs = spawnSync('python3', ['-c', script], { cwd: dir })
  if (theirs.status !== 0) throw new Error(theirs.stderr.toString())
  const told = theirs.stdout.toString().trim().split('\n')
  expect(told.length).toBeGreaterThan(5)
  expect(found).toEqual(expect.arrayContaining(told))
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
