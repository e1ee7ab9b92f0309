// Shows the API that is described beside this page.
SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  // The default would send the address of the description to a service of others.
  validatorUrl: null,
});
