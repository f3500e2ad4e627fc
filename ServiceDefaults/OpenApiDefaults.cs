using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace AspireRedis.ServiceDefaults;

internal static class OpenApiDefaults
{
    public static void Apply(OpenApiOptions options)
        => options.AddSchemaTransformer((schema, context, _) =>
        {
            // A member is nullable in C# so that a missing one can be told from zero; null is refused all the same.
            if (context.JsonPropertyInfo?.AttributeProvider?.IsDefined(typeof(RequiredAttribute), inherit: true) == true)
            {
                schema.Type &= ~JsonSchemaType.Null;
            }
            // Of a type with a converter of its own the framework knows nothing.
            if (context.JsonPropertyInfo?.PropertyType is { } type && (Nullable.GetUnderlyingType(type) ?? type) == typeof(decimal))
            {
                schema.Type = JsonSchemaType.Number;
                schema.Format = "double";
            }
            return Task.CompletedTask;
        });
}
