using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Notifications;
using AspireRedis.ServiceDefaults;

// A web host only for /health and /alive: the work comes from the stream.
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisDefaults();
builder.AddMail();
builder.Services.AddConsumerGroup<EmailRequested, MailHandler>(Topics.Email, (options, provider) =>
{
    var section = provider.GetRequiredService<IConfiguration>().GetSection("Consumer");
    section.Bind(options);
    options.Consumer = section["Name"] ?? options.Consumer;
    options.Group = "mailers";
});

var app = builder.Build();
app.MapDefaultEndpoints();
app.Run();

// Otherwise the SDK makes it public, and three services with a public Program meet in the tests.
internal sealed partial class Program;
