using AspireRedis.Hosting;

var builder = DistributedApplication.CreateBuilder(args);
var redis = builder.AddRedisSentinel("redis").WithReplicas(2).WithSentinels(3);
builder.AddProject<Projects.Api>("api").WithReference(redis).WaitFor(redis);
builder.Build().Run();
