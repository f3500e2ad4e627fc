using AspireRedis.Client;
using AspireRedis.ServiceDefaults;

// A web host only for /health and /alive: the work is the library's.
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisRegionAgent();
builder.AddProblemDetailsDefaults();

var app = builder.Build();
app.UseProblemDetailsDefaults();
app.MapDefaultEndpoints();
app.Run();

// Otherwise the SDK makes it public, and the tests reference several services with a public Program.
internal sealed partial class Program;
