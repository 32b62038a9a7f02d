import { register } from 'tsx/esm/api'

register()
const { default: SlowNode } = await import('./node-blocking.ts')
export default SlowNode
