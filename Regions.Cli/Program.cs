using AspireRedis.Regions.Cli;

return await RegionTool.RunOnConsoleAsync(args);
