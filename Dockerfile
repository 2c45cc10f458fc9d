# The gateway on Node, as another user than root:
#
#     docker build -t my-sms .
#     docker run --init --stop-timeout 20 --restart=always --ulimit nofile=65536:65536 --env-file .env -p 3000:3000 my-sms
#
# A provider of one's own is mounted: -v ./acme.ts:/app/providers/acme.ts:ro
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN ["npm", "ci", "--ignore-scripts", "--omit=dev", "--omit=optional", "--no-audit", "--no-fund"]

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=packages /app/node_modules ./node_modules
COPY package.json main.ts LICENSE ./
COPY providers ./providers
USER node
EXPOSE 3000
# It needs no shell and no curl. A gateway that stops takes no new connection.
HEALTHCHECK --interval=10s --timeout=5s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 3000) + '/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "main.ts"]
