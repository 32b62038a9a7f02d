/** A refusal: its status and what the clients are told. */
export class Refusal extends Error {
  readonly status: number
  readonly errors: readonly string[] | undefined

  constructor(status: number, message: string, errors?: readonly string[]) {
    super(message)
    this.status = status
    this.errors = errors
  }
}
