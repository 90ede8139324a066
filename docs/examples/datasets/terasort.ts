// TeraSort: all records in the order of their keys. The ranges of keys come from a sample, so that the files are about equally large.
import { program } from 'gristmill'

interface Params { input: string | string[]; output: string }

export default program<Params>(async (mill, { input, output }) => {
  await mill.text(input).sortBy(line => line.slice(0, 10)).save(output)
})
