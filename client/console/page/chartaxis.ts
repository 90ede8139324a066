// Axes of a chart: round values along its height, and the labels along its width for which there is room. Pure.

interface Ticks {
  /** Ends of the axis, which are ticks. */
  readonly low: number
  readonly high: number
  readonly values: readonly number[]
  readonly format: (value: number) => string
}

const stepsWanted = 5
/** Longer numbers than `999,999,999` are written with an exponent. */
const writtenMax = 1e9
const writtenMin = 1e-6

/** Round values, 1, 2 or 5 times a power of ten apart, from at most `least` to at least `most`. */
export function ticksOf(least: number, most: number): Ticks {
  // Halves, so that the difference of the largest numbers is one.
  const rough = (most / 2 - least / 2) * 2 / stepsWanted || Math.abs(most) / stepsWanted || 1 / stepsWanted
  const power = Math.floor(Math.log10(Math.min(rough, Number.MAX_VALUE)))
  const unit = [1, 2, 5, 10].find(each => each * 10 ** power >= rough * (1 - 1e-9)) ?? 10
  const [digit, exponent] = unit === 10 ? [1, power + 1] : [unit, power]
  // A multiple of a power of ten is read as such: 3 * 0.1 is another number than 0.3.
  const at = (index: number): number => Number(`${index * digit}e${exponent}`)
  const step = at(1)
  const first = Math.floor(least / step + 1e-9)
  const count = Math.max(1, Math.ceil(most / step - 1e-9) - first)
  const values = Array.from({ length: count + 1 }, (_, i) => at(first + i)).filter(Number.isFinite)
  const largest = Math.max(...values.map(Math.abs))
  const decimals = Math.max(0, -exponent)
  const isLong = largest >= writtenMax || step < writtenMin
  const format = (value: number): string => {
    if (isLong) return value === 0 ? '0' : value.toExponential().replace('e+', 'e')
    return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
  }
  return { low: values[0]!, high: values.at(-1)!, values, format }
}

interface Label {
  /** Place of the middle. */
  readonly x: number
  readonly text: string
}

const charPixels = 7
/** Characters of East Asian scripts, and pictures. */
const widePixels = 13
const gapPixels = 12

const pixelsOf = (text: string): number =>
  [...text].reduce((sum, char) => sum + (char.codePointAt(0)! >= 0x1100 ? widePixels : charPixels), 0)

/** The labels that do not overlap one another, with the last one, moved into the space between `from` and `to`. */
export function labelsWithRoom(labels: readonly Label[], from: number, to: number): readonly Label[] {
  const drawn: (Label & { readonly half: number })[] = []
  const isBehind = ({ x, half }: { readonly x: number; readonly half: number }): boolean => {
    const last = drawn.at(-1)
    return last === undefined || last.x + last.half + gapPixels <= x - half
  }
  labels.forEach(({ x: middle, text }, i) => {
    const half = Math.min(pixelsOf(text), to - from) / 2
    const label = { x: Math.min(Math.max(middle, from + half), to - half), text, half }
    if (i === labels.length - 1) while (!isBehind(label)) drawn.pop()
    if (isBehind(label)) drawn.push(label)
  })
  return drawn.map(({ x, text }) => ({ x, text }))
}
