using AspireRedis.Client;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Orders;
using AspireRedis.Orders.Closing;
using AspireRedis.Orders.Erasure;
using AspireRedis.Orders.Forwarding;
using AspireRedis.Orders.History;
using AspireRedis.Orders.Insight;
using AspireRedis.Orders.Listing;
using AspireRedis.Orders.Live;
using AspireRedis.Orders.Placing;
using AspireRedis.Orders.Payments;
using AspireRedis.Orders.RateLimiting;
using AspireRedis.Orders.Reconciling;
using AspireRedis.Orders.Retention;
using AspireRedis.ServiceDefaults;
using AspireRedis.ServiceDefaults.Caching;
using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisCoordination();
var partitions = builder.AddShopPartitions();
builder.AddReadCache(OrderList.CacheName);
builder.AddProblemDetailsDefaults();
builder.Services.AddOpenApi();
builder.Services.AddValidation();

builder.Services.AddOptions<OrderOptions>().BindConfiguration("Orders").ValidateDataAnnotations().ValidateOnStart();
builder.Services.AddOptions<PaymentOptions>().BindConfiguration("Payments").ValidateDataAnnotations().ValidateOnStart();
builder.Services.RequireDurability(provider => provider.GetRequiredService<IOptions<OrderOptions>>().Value.Durability);
builder.Services.AddOrderRateLimits();
builder.Services.AddSingleton<OrderKeys>();
builder.Services.AddSingleton<OrderStore>();
builder.Services.AddSingleton<CustomerOrders>();
builder.Services.AddSingleton<OrderList>();
builder.Services.AddSingleton<IdempotencyKeys>();
builder.Services.AddTransient<OrderPlacement>();
builder.Services.AddSingleton<OrderDurability>();
builder.Services.AddHttpClient<InventoryClient>(client => client.BaseAddress = new Uri("https+http://inventory-api"));
builder.Services.AddSingleton<IPaymentGateway, SimulatedPaymentGateway>();
builder.Services.AddConsumerGroup<OrderPlaced, PaymentHandler>(partitions.OrderPlaced, (options, provider) =>
{
    options.Group = PaymentHandler.Group;
    // A payment must be settled one way or the other: while the gateway or the inventory is unavailable it is retried, for
    // more than two days at this rate. Only what cannot be decoded goes to the dead letters at once.
    options.MaxDeliveries = 10_000;
    options.MaxRetryDelay = TimeSpan.FromSeconds(30);
    options.BindConsumer(provider);
});
builder.Services.AddStreamRetention(partitions.OrderPlaced, (options, provider) =>
{
    options.BindRetention(provider);
    // Without its event an order would be paid again after all, once it is looked after.
    options.MayDeleteDeadLetter = async (letter, cancellationToken) => letter.Group != PaymentHandler.Group
        || !letter.Fields.TryGetValue("order_id", out var orderId) || !OrderId.IsValid(orderId)
        || await provider.GetRequiredService<OrderStore>().FindAsync(orderId, cancellationToken) is not { Status: OrderStatus.Placed };
});
// This service feeds both, and is there when their consumers are not.
builder.Services.AddStreamMonitor(partitions.OrderPlaced);
builder.Services.AddStreamMonitor(partitions.Email);
// A payment that cannot be made is an order without an end: one is worth a look.
builder.Services.PostConfigure<ConsumerHealthOptions>(options => options.MaxDeadLetters ??= 0);
builder.Services.AddHostedService<OrderReconciler>();
builder.Services.ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddMeter(OrderReconciler.MeterName));
builder.Services.AddSingleton<OrderArchive>();
builder.Services.AddSingleton<CustomerErasure>();
builder.Services.AddHostedService<OrderRetention>();
builder.Services.AddSystemWatch();
builder.Services.AddOrderStream();
builder.Services.AddProductForwarding();
builder.Services.AddWarmUp<OrderWarmUp>();

var app = builder.Build();
app.UseProblemDetailsDefaults();
app.UseShopPage();
app.UseOrderRateLimits();
app.MapDefaultEndpoints();
app.MapApiReference();
app.MapOrders();
app.MapOrderList();
app.MapOrderHistory();
app.MapOrderStream();
app.MapProductForwarding();
app.MapOrderExport();
app.MapClosure();
app.MapErasure();
app.MapDeadLetters();
app.MapSystem();
app.Run();
