using AspireRedis.Client;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Notifications;
using AspireRedis.ServiceDefaults;

// A web host only for /health, /alive and /dead-letters: the work comes from the stream.
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisCoordination();
var partitions = builder.AddShopPartitions();
builder.AddProblemDetailsDefaults();
builder.AddMail();
builder.Services.AddConsumerGroup<EmailRequested, MailHandler>(partitions.Email, (options, provider) =>
{
    options.Group = "mailers";
    // A mail server may be unavailable for a while: more than an hour at the default retry delays.
    options.MaxDeliveries = 30;
    options.BindConsumer(provider);
});
builder.Services.AddStreamRetention(partitions.Email, (options, provider) => options.BindRetention(provider));

var app = builder.Build();
app.UseProblemDetailsDefaults();
app.MapDefaultEndpoints();
app.MapDeadLetters();
app.Run();

// Otherwise the SDK makes it public, and the tests reference three services with a public Program.
internal sealed partial class Program;
