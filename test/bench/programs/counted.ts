// Word count in the style of Datasets.
import { program } from 'gristmill'

export default program((mill, { input, output }: { input: string, output: string }) =>
  mill.text(input).flatMap(line => line.split(' ')).countBy(word => word).save(output))
