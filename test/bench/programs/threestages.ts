// A job of three stages that does next to nothing: a count by key, and a sort of the counts into one partition.
import { program } from 'gristmill'

export default program((mill, { input, output }: { input: string, output: string }) =>
  mill.text(input).countBy(line => line, { partitions: 1 }).countBy(([, count]) => count, { partitions: 1 }).save(output))
