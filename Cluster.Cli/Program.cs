using AspireRedis.Cluster.Cli;

return await MoveTool.RunOnConsoleAsync(args);
