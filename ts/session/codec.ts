// The only file of this room that touches the addon.
export { socketSend } from '../native/index.js'
