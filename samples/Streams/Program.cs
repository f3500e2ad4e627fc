// A producer, and a consumer group that handles each event at least once. dotnet run --project samples/Streams [connection string]
using AspireRedis.Client;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Streams;

var builder = Host.CreateApplicationBuilder();
builder.Logging.SetMinimumLevel(LogLevel.Error);
builder.Configuration["ConnectionStrings:redis"] = args.FirstOrDefault() ?? builder.Configuration["ConnectionStrings:redis"] ?? "localhost:6379";
builder.AddRedisCoordination();
builder.Services.AddConsumerGroup<Parcel, ParcelHandler>(Parcel.Topic, (options, _) =>
{
    options.Group = "carriers";
    options.RetryDelay = TimeSpan.FromMilliseconds(100);
    options.DeleteHandled = true;
});

using var host = builder.Build();
await host.StartAsync();

var producer = host.Services.GetRequiredService<StreamProducer>();
foreach (var town in new[] { "Bremen", "Kiel", "Ulm" })
{
    await producer.AppendAsync(Parcel.Topic, new Parcel(town));
    Console.WriteLine($"Appended {town}.");
}

await host.Services.GetRequiredService<ParcelHandler>().AllHandled.WaitAsync(TimeSpan.FromSeconds(30));
await host.StopAsync();
Console.WriteLine("All are handled.");
