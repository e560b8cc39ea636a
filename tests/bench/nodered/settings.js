// Node-RED without an editor: only the flow runs. All that changes from run to run comes from the environment.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: Number(process.env.BENCH_PORT),
  httpAdminRoot: false,
  httpNodeRoot: false,
  telemetry: { enabled: false, updateNotification: false },
  externalModules: { autoInstall: false },
  functionGlobalContext: { pg: require("pg") },
  logging: { console: { level: "info", metrics: false, audit: false } },
};
