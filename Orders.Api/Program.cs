using AspireRedis.Client;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Orders;
using AspireRedis.Orders.Closing;
using AspireRedis.Orders.History;
using AspireRedis.Orders.Placing;
using AspireRedis.Orders.Payments;
using AspireRedis.Orders.Reconciling;
using AspireRedis.ServiceDefaults;
using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisCoordination();
builder.AddProblemDetailsDefaults();
builder.Services.AddOpenApi();
builder.Services.AddValidation();

builder.Services.AddOptions<OrderOptions>().BindConfiguration("Orders").ValidateDataAnnotations().ValidateOnStart();
builder.Services.AddOptions<PaymentOptions>().BindConfiguration("Payments").ValidateDataAnnotations().ValidateOnStart();
builder.Services.RequireDurability(provider => provider.GetRequiredService<IOptions<OrderOptions>>().Value.Durability);
builder.Services.AddSingleton<OrderStore>();
builder.Services.AddSingleton<IdempotencyKeys>();
builder.Services.AddTransient<OrderPlacement>();
builder.Services.AddHttpClient<InventoryClient>(client => client.BaseAddress = new Uri("https+http://inventory-api"));
builder.Services.AddSingleton<IPaymentGateway, SimulatedPaymentGateway>();
builder.Services.AddConsumerGroup<OrderPlaced, PaymentHandler>(Topics.OrderPlaced, (options, provider) =>
{
    options.Group = PaymentHandler.Group;
    // A payment must be settled one way or the other: while the gateway or the inventory is unavailable it is retried, for
    // more than two days at this rate. Only what cannot be decoded goes to the dead letters at once.
    options.MaxDeliveries = 10_000;
    options.MaxRetryDelay = TimeSpan.FromSeconds(30);
    options.BindConsumer(provider);
});
builder.Services.AddStreamRetention(Topics.OrderPlaced.Key, (options, provider) => options.BindRetention(provider));
// A payment that cannot be made is an order without an end: one is worth a look.
builder.Services.PostConfigure<ConsumerHealthOptions>(options => options.MaxDeadLetters ??= 0);
builder.Services.AddHostedService<OrderReconciler>();
builder.Services.ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddMeter(OrderReconciler.MeterName));

var app = builder.Build();
app.UseProblemDetailsDefaults();
app.MapDefaultEndpoints();
app.MapOpenApi();
app.MapOrders();
app.MapOrderHistory();
app.MapClosure();
app.MapDeadLetters();
app.Run();
