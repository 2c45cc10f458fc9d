export { default } from "./redis.ts"
