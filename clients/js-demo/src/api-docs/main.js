// The API's document as a page to try it: /api/docs.

// @ts-expect-error -- it ships no types
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

SwaggerUI({
  dom_id: "#api",
  url: "openapi.json",
  // No service of others is asked whether the document is valid.
  validatorUrl: null,
  deepLinking: true,
  tryItOutEnabled: true,
});
