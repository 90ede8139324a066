// Systems of linear equations with a symmetric positive matrix, by Cholesky's factors.

/** Index of (row, column) in the lower triangle of a symmetric matrix, row by row. REQUIRES: column <= row. */
export const triangle = (row: number, column: number): number => row * (row + 1) / 2 + column

/** The least part of a diagonal entry that counts as more than rounding errors. */
const pivotMin = 1e-11

/**
 * Solves A x = b; A is given by its lower triangle and is not changed. Returns the row that depends on those before it, up to rounding
 * errors, if there is one.
 */
export function solveSymmetric(matrix: ArrayLike<number>, right: ArrayLike<number>): Float64Array | { readonly dependent: number } {
  const size = right.length
  const factor = Float64Array.from(matrix)
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = factor[triangle(row, column)]!
      for (let k = 0; k < column; k++) sum -= factor[triangle(row, k)]! * factor[triangle(column, k)]!
      if (column < row) factor[triangle(row, column)] = sum / factor[triangle(column, column)]!
      else if (sum > pivotMin * matrix[triangle(row, row)]!) factor[triangle(row, row)] = Math.sqrt(sum)
      else return { dependent: row }
    }
  }
  const solution = Float64Array.from(right)
  for (let row = 0; row < size; row++) {
    let sum = solution[row]!
    for (let k = 0; k < row; k++) sum -= factor[triangle(row, k)]! * solution[k]!
    solution[row] = sum / factor[triangle(row, row)]!
  }
  for (let row = size - 1; row >= 0; row--) {
    let sum = solution[row]!
    for (let k = row + 1; k < size; k++) sum -= factor[triangle(k, row)]! * solution[k]!
    solution[row] = sum / factor[triangle(row, row)]!
  }
  return solution
}
