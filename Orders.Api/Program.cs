using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Orders;
using AspireRedis.Orders.Placing;
using AspireRedis.Orders.Payments;
using AspireRedis.ServiceDefaults;
using Microsoft.Extensions.Options;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisDefaults();
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
    provider.GetRequiredService<IConfiguration>().GetSection("Consumer").Bind(options);
    options.Group = PaymentHandler.Group;
    // A payment must end in one way or the other: while the gateway or the inventory is away it is tried again, for two
    // days at the default pace, and only what cannot be read goes to the dead letters at once.
    options.MaxDeliveries = 10_000;
});

var app = builder.Build();
app.UseProblemDetailsDefaults();
app.MapDefaultEndpoints();
app.MapOpenApi();
app.MapOrders();
app.Run();
