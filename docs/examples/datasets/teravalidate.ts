// Validates what terasort.ts has written: the records of each file are in order, the last key of a file is at most the first one of the
// next, and they are the records that teragen.ts makes, each once. It fails if they are not, and else saves what it has found.
import { program } from 'gristmill'
import { added, checksumOf, record } from './tera.ts'

interface Params { input: string | string[]; output: string; records: number; parts: number }

const recordBytes = 100
const keyBytes = 10

export default program<Params>(async (mill, { input, output, records, parts }) => {
  // A file is read by one task, which alone knows in which order its records are.
  const files = await mill.files(input, { bytes: true }).map(({ path, bytes }) => {
    if (bytes.length % recordBytes !== 0) throw new Error(`${path} has ${bytes.length} bytes, which is no multiple of ${recordBytes}`)
    const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const keyAt = (at: number): Buffer => file.subarray(at, at + keyBytes)
    let sum = 0
    for (let at = 0; at < file.length; at += recordBytes) {
      if (at > 0 && keyAt(at - recordBytes).compare(keyAt(at)) > 0) throw new Error(`byte ${at} of ${path}: a key is smaller than the one before it`)
      sum = added(sum, checksumOf(file.subarray(at, at + recordBytes - 1)))
    }
    return { path, records: file.length / recordBytes, sum, first: keyAt(0).toString(), last: keyAt(file.length - recordBytes).toString() }
  }).sortBy(file => file.path).collect()
  const full = files.filter(file => file.records > 0)
  for (const [i, file] of full.entries()) {
    const before = full[i - 1]
    if (before && before.last > file.first) throw new Error(`${file.path} begins with a smaller key than ${before.path} ends with`)
  }
  const found = full.reduce((all, file) => ({ records: all.records + file.records, sum: added(all.sum, file.sum) }), { records: 0, sum: 0 })
  const sum = await mill.range(records, { partitions: parts }).map(i => checksumOf(record(i))).reduce(added, 0)
  if (found.records !== records || found.sum !== sum)
    throw new Error(`${found.records} records with the sum ${found.sum}; generated were ${records} with the sum ${sum}`)
  await mill.from([`${records} records in order, sum ${sum.toString(16)}`]).save(output)
}, { params: { records: 10_000, parts: 2 } })
